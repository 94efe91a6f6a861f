"""Rebuilds a catalog from the rows whose checksums are right. The old files are set aside, not deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog import roots
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.connection import open_for_writing
from searchkit.catalog.meta import MODEL, set_meta
from searchkit.catalog.roots import RecoveryRecord, read_recovery_record
from searchkit.catalog.salvage import Salvaged, open_damaged, salvage_choices, salvage_rows, salvage_settings
from searchkit.errors import Action, Remedy, UsageError
from searchkit.files import make_private_folder, sync_folder
from searchkit.home import CollectionFolder

_NOTHING = Salvaged(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The outcome of a rebuild, and the folder with the old files. An index run has to follow."""

    salvaged: Salvaged
    set_aside: Path


def settings_to_keep(folder: CollectionFolder, folders: Sequence[Path]) -> RecoveryRecord:
    """Read model, folders and exclusions from an undamaged place; `folders` are added.

    Raises UsageError if neither the catalog nor the recovery record has the folders, and none is given.
    """
    damaged = open_damaged(folder.catalog) if folder.catalog.is_file() else None
    intact = None
    if damaged is not None:
        with damaged:
            intact = salvage_settings(damaged)
    known = intact or read_recovery_record(folder) or RecoveryRecord("", (), ())
    if not (known.folders or folders):
        raise UsageError(
            f"The list of folders of '{folder.name}' can no longer be read.",
            remedy=Remedy(Action.NAME_FOLDERS, collection=folder.name),
        )
    return RecoveryRecord(known.model, tuple(dict.fromkeys((*known.folders, *folders))), known.excluded)


def rebuild_catalog(folder: CollectionFolder, record: RecoveryRecord) -> Rebuilt:
    """Put a new catalog in the old one's place. The caller has the collection's lock.

    The old one stays in place until the last moment; a crash leaves one or the other, whole.
    """
    new = folder.path / "rebuilt.db"
    for leftover in folder.path.glob("rebuilt.db*"):  # of a rebuild that was not completed
        leftover.unlink()
    with open_for_writing(new) as target:
        _settle(target, record)
        damaged = open_damaged(folder.catalog) if folder.catalog.is_file() else None
        salvaged = _NOTHING
        if damaged is not None:
            with damaged:
                salvage_choices(damaged, target)
                salvaged = salvage_rows(damaged, target)
    aside = _free_folder(folder)
    # The index refers to the old catalog's ids, and a journal would be applied to the new one: both are moved first.
    for name in ("index", "guesses", "catalog.db-wal", "catalog.db-shm"):
        if (folder.path / name).exists():
            (folder.path / name).rename(aside / name)
    if folder.catalog.exists():
        (aside / folder.catalog.name).hardlink_to(folder.catalog)
    new.replace(folder.catalog)
    sync_folder(folder.path)
    return Rebuilt(salvaged, aside)


def _settle(target: CatalogWriter, record: RecoveryRecord) -> None:
    with target.transaction():
        for path in record.folders:
            roots.add_root(target, path)
        for path in record.excluded:
            roots.exclude(target, path)
        set_meta(target, MODEL, record.model)


def _free_folder(folder: CollectionFolder) -> Path:
    number = 1
    while (folder.path / f"damaged-{number}").exists():
        number += 1
    return make_private_folder(folder.path / f"damaged-{number}")
