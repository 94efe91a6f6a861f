"""Finds damage in a collection's files, and rebuilds it from its sound rows and the user's files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.catalog import readable_errors
from searchkit.catalog.connection import writer_lock
from searchkit.catalog.roots import all_roots, read_recovery_record
from searchkit.collection import Collection
from searchkit.errors import Action, CollectionNotFoundError, Remedy, UsageError
from searchkit.reports import Damage, IndexReport, ProgressListener


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """The numbers salvaged from the old catalog, its new location, and the index run that followed."""

    documents_kept: int
    documents_lost: int
    vectors_kept: int
    vectors_lost: int
    set_aside: Path
    run: IndexReport


def verify_collection(collection: Collection) -> list[Damage]:
    """Find the damage in a collection's files; an empty list if there is none."""
    from searchkit.catalog.damage import find_damage
    from searchkit.index_store import find_index_damage

    folder = collection.folder
    found = find_damage(folder.catalog) + find_index_damage(folder)
    if read_recovery_record(folder) is None:
        found.append(Damage("keepsake", "collection.json (the backup of the folder list) is missing or damaged"))
    return found


def rebuild_collection(collection: Collection, folders: Sequence[Path], on_progress: ProgressListener) -> RebuildReport:
    """Rebuild a collection from its undamaged rows and its files. Its old files are set aside; nothing is deleted.

    `folders`: further ones to index, needed only if the list of folders is lost.
        Raises CollectionNotFoundError, UsageError, CollectionBusyError.
    """
    from searchkit.catalog.rebuild import rebuild_catalog, settings_to_keep

    folder = collection.folder
    if not folder.path.is_dir():  # it may have lost its catalog
        raise CollectionNotFoundError(
            f"No collection named '{collection.name}'.", remedy=Remedy(Action.SEE_COLLECTIONS)
        )
    missing = [path for path in folders if not path.is_dir()]
    if missing:
        raise UsageError(f"There is no folder {missing[0]}.", remedy="Check the spelling.")
    with readable_errors(folder.catalog), writer_lock(folder.path):
        record = settings_to_keep(folder, folders)
        rebuilt = rebuild_catalog(folder, record)
    collection.close()
    with collection.writing() as catalog:
        embedder = collection.embedder_to_index(catalog, record.model)
        run = collection.run(catalog, all_roots(catalog), embedder, on_progress)
    salvaged = rebuilt.salvaged
    return RebuildReport(
        salvaged.documents, salvaged.lost_documents, salvaged.vectors, salvaged.lost_vectors, rebuilt.set_aside, run
    )
