"""Looking after collections: finding damage in their files, and making them anew from what is true."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.collection_folder import CollectionFolder, collection_at, existing_collection
from searchkit.catalog.connection import readable_errors
from searchkit.catalog.lock import writer_lock
from searchkit.catalog.recovery_record import read_keepsake
from searchkit.catalog.roots import all_roots
from searchkit.catalog.session import writing
from searchkit.errors import CollectionNotFoundError, UsageError
from searchkit.library import Library
from searchkit.types import Damage, IndexReport, ProgressListener, RunOptions


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild took from the old catalog, where that lies now, and the index run that followed."""

    documents_kept: int
    documents_lost: int
    vectors_kept: int
    vectors_lost: int
    set_aside: Path
    run: IndexReport


def verify_collection(library: Library, name: str) -> list[Damage]:
    """Everything in a collection's files that is not as it was written; an empty list if all is.

    Raises CollectionNotFoundError.
    """
    from searchkit.catalog.damage import find_damage
    from searchkit.index_store import find_index_damage

    folder = existing_collection(library.home, name)
    found = find_damage(folder.catalog) + find_index_damage(folder)
    if read_keepsake(folder) is None:
        found.append(Damage("keepsake", "collection.json, which names the folders once more, is missing or damaged"))
    return found


def rebuild_collection(
    library: Library, name: str, folders: Sequence[Path], on_progress: ProgressListener
) -> RebuildReport:
    """Make a collection anew from its sound rows and its files. Its old files are set aside, nothing is deleted.

    `folders`: further ones to mirror, needed only if no file says any more which there were.
    Raises CollectionNotFoundError, UsageError, CollectionBusyError.
    """
    from searchkit.catalog.rebuild import rebuild_catalog, settings_to_keep

    folder = _folder_of(library, name)
    missing = [path for path in folders if not path.is_dir()]
    if missing:
        raise UsageError(f"There is no folder {missing[0]}.")
    with readable_errors(folder.catalog), writer_lock(folder.path):
        keepsake = settings_to_keep(folder, folders)
        rebuilt = rebuild_catalog(folder, keepsake)
    library.let_go(name)
    embedder = library.embedder_for(folder, keepsake.model)
    with writing(folder) as connection:
        run = library.index_run(folder, connection, embedder, on_progress, RunOptions()).run(all_roots(connection))
    salvaged = rebuilt.salvaged
    return RebuildReport(
        salvaged.documents, salvaged.lost_documents, salvaged.vectors, salvaged.lost_vectors, rebuilt.set_aside, run
    )


def _folder_of(library: Library, name: str) -> CollectionFolder:
    """The collection's place, which may have lost its catalog."""
    folder = collection_at(library.home, name)
    if not folder.path.is_dir():
        raise CollectionNotFoundError(f"No collection named '{name}'. See what there is: searchkit collections")
    return folder
