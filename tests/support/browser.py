"""A real browser for tests: Chromium, headless, driven by playwright. Neither is a dependency: tests are skipped without."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def without_browser() -> str:
    """What is missing for tests in a browser, "" if nothing is."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed (pip install playwright)"
    return "" if _program() else "there is no Chromium (apt-get install chromium)"


@dataclass
class Window:
    """A page in a browser. `complaints`: errors, and what the policy forbade. `hosts`: whom it has asked for anything."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def hear(self, said: Any) -> None:
        """Note errors and warnings."""
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)

    def refuse(self, dialog: Any) -> None:
        """Close a dialog, which none of our scripts opens."""
        self.complaints.append(f"dialog {dialog.message}")
        dialog.dismiss()


@contextmanager
def browser() -> Iterator[Any]:
    """A running browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=_program(), args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def window(opened: Any, **options: Any) -> Iterator[Window]:
    """A window with cookies of its own. `options`: of playwright, such as color_scheme, viewport, java_script_enabled."""
    context = opened.new_context(**options)
    try:
        shown = Window(context.new_page())
        shown.page.on("console", shown.hear)
        shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
        shown.page.on("dialog", shown.refuse)
        shown.page.on("request", lambda request: shown.hosts.add(request.url.split("/")[2]))
        yield shown
    finally:
        context.close()


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)
