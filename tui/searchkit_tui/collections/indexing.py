"""Folders indexed behind the search screen, as the app's jobs: what the collections screen shows too."""

from pathlib import Path
from typing import Any

from textual.app import App

from searchkit.library import Library
from searchkit_tui.jobs.jobs_of_app import jobs_of
from searchkit_tui.jobs.work import index_folder


def index_in_background(app: App[Any], library: Library, folder: Path) -> None:
    """Make a folder searchable, in the collection that has it already or is named after it."""
    jobs_of(app, library).submit(index_folder(folder, library.collection_for(folder)))


def ask_for_folder(app: App[Any], library: Library) -> None:
    """Have the user choose a folder, and make it searchable."""
    from searchkit_tui.collections.actions_run import Deeds  # with its dialogs: not needed to start

    Deeds(app, library, jobs_of(app, library)).add()
