"""Finds damage in a collection's files, and rebuilds it from its sound rows and the user's files."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.catalog import readable_errors
from searchkit.catalog.meta import MODEL
from searchkit.catalog.roots import add_root, all_roots, read_recovery_record
from searchkit.catalog.writer import writer_lock
from searchkit.collection import Collection
from searchkit.errors import Action, CollectionNotFoundError, ModelError, Remedy, UsageError
from searchkit.reports import Damage, IndexReport, ProgressListener, Work


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """The numbers salvaged from the old catalog, its new location, and the index run that followed.

    `set_aside`: None for a collection in a database, which is repaired where it is.
    """

    documents_kept: int
    documents_lost: int
    vectors_kept: int
    vectors_lost: int
    set_aside: Path | None
    run: IndexReport


def verify_collection(collection: Collection) -> list[Damage]:
    """Find the damage in a collection's files; an empty list if there is none."""
    from searchkit.catalog.damage import find_damage
    from searchkit.index_store import find_index_damage

    folder = collection.folder
    found = find_damage(folder) + find_index_damage(folder)
    if not found:
        found += _unbelievable(collection)
    if folder.url is None and read_recovery_record(folder) is None:
        found.append(Damage("keepsake", "collection.json (the backup of the folder list) is missing or damaged"))
    return found


def _unbelievable(collection: Collection) -> Iterator[Damage]:
    """Compare some vectors with what the model makes now. A model that is gone or damaged is another matter (`models verify`)."""
    from searchkit.ingest.recheck_vectors import recheck_vectors

    with collection.reading() as catalog:
        model = catalog.meta(MODEL) or ""
        with suppress(ModelError):
            if model and collection.models.check(model):
                found = recheck_vectors(catalog, collection.models.open(model))
                if found.different:
                    many = f"{found.different} of {found.compared} that were made again"
                    yield Damage("vectors", f"they are not those of the model '{model}': {many} came out otherwise")


def rebuild_collection(collection: Collection, folders: Sequence[Path], on_progress: ProgressListener) -> RebuildReport:
    """Rebuild a collection from its undamaged rows and its files. Its old files are set aside; nothing is deleted.

    `folders`: further ones to index, needed only if the list of folders is lost.
        Raises CollectionNotFoundError, UsageError, CollectionBusyError.
    """
    from searchkit.catalog.rebuild import rebuild_catalog, settings_to_keep

    folder = collection.folder
    if folder.url is None and not folder.path.is_dir():  # it may have lost its catalog
        raise CollectionNotFoundError(
            f"No collection named '{collection.name}'.", remedy=Remedy(Action.SEE_COLLECTIONS)
        )
    missing = [path for path in folders if not path.is_dir()]
    if missing:
        raise UsageError(f"There is no folder {missing[0]}.", remedy="Check the spelling.")
    if folder.url is not None:
        return _repaired(collection, folders, on_progress)
    with collection.refusing(), readable_errors(folder), writer_lock(folder.path, work=Work.REBUILD):
        record = settings_to_keep(folder, folders)
        rebuilt = rebuild_catalog(folder, record)
    collection.close()
    with collection.writing(work=Work.REBUILD) as catalog:
        embedder = collection.embedder_to_index(catalog, record.model)
        run = collection.run(catalog, all_roots(catalog), embedder, on_progress)
    salvaged = rebuilt.salvaged
    return RebuildReport(
        salvaged.documents, salvaged.lost_documents, salvaged.vectors, salvaged.lost_vectors, rebuilt.set_aside, run
    )


def _repaired(collection: Collection, folders: Sequence[Path], on_progress: ProgressListener) -> RebuildReport:
    """Repair a collection in its database, and read again what was lost."""
    from searchkit.catalog.salvage import repair_in_place

    collection.close()
    with collection.writing(work=Work.REBUILD) as catalog:
        salvaged = repair_in_place(catalog)
        with catalog.transaction():
            for path in folders:
                add_root(catalog, path)
        embedder = collection.embedder_to_index(catalog)
        run = collection.run(catalog, all_roots(catalog), embedder, on_progress)
    return RebuildReport(
        salvaged.documents, salvaged.lost_documents, salvaged.vectors, salvaged.lost_vectors, None, run
    )
