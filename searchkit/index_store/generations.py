"""The index folder: numbered generations, of which the newest counts. A generation never changes after its manifest is
written, so readers keep theirs while a writer creates the next one.
"""

import shutil
from pathlib import Path

import numpy as np

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.meta import CURRENT_INDEX
from searchkit.catalog.passages import count_vectors
from searchkit.catalog.vectors import known_models, storage_of
from searchkit.files import make_private_folder, new_folder
from searchkit.home import CollectionFolder
from searchkit.index_store.build import Built, spec_for
from searchkit.index_store.in_database import status_in_database
from searchkit.reports import Damage, IndexStatus
from searchkit.types import Storage
from searchkit_indexes import (
    CodedIndex,
    IndexDamagedError,
    IndexSpec,
    Manifest,
    StructureMissingError,
    checksum,
    read_manifest,
    verify_files,
    write_manifest,
)

_ASIDE = "damaged-"


def load_generation(index_folder: Path, fingerprint: str, token: str) -> tuple[CodedIndex, Manifest] | None:
    """Load the generation with this token after verifying its checksums; None if no sound one of the model exists, or if a
    writer removed it meanwhile.
    """
    for folder in _generations(index_folder):
        try:
            known = read_manifest(folder)
            if (known.fingerprint, known.token) != (fingerprint, token):
                continue
            manifest = verify_files(folder)
            index = CodedIndex.load(folder, IndexSpec.parse(manifest.spec), manifest.effort)
        except (IndexDamagedError, ValueError, StructureMissingError):
            continue
        if len(index) == manifest.count:
            return index, manifest
    return None


def save_generation(index_folder: Path, built: Built, fingerprint: str, last_id: int, token: str) -> None:
    """Write the next generation: first its files, then its manifest; renaming the folder publishes it."""
    make_private_folder(index_folder)
    numbers = [
        int(path.name.removeprefix(_ASIDE))
        for path in index_folder.iterdir()
        if path.name.removeprefix(_ASIDE).isdigit()
    ]
    with new_folder(index_folder / str(max(numbers, default=0) + 1)) as folder:
        built.index.save(folder)
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
        manifest = Manifest(
            spec=str(built.index.spec),
            fingerprint=fingerprint,
            count=len(built.index),
            last_id=last_id,
            trained_count=built.trained_count,
            effort=built.effort,
            goal=built.goal,
            recall=built.recall,
            token=token,
            queries=built.queries,
            memory_bytes=built.index.memory_bytes,
            sizes=sizes,
            checksums={name: checksum(folder / name) for name in sizes},
        )
        write_manifest(folder, manifest)


def remove_leftovers(index_folder: Path) -> None:
    """Remove unfinished folders of killed runs, and all generations but the newest; damaged ones are set aside.

    The caller has the collection's lock, so nobody else writes here.
    """
    for unfinished in index_folder.glob(".*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    for generation in _generations(index_folder)[1:]:
        if _is_sound(generation):
            shutil.rmtree(generation, ignore_errors=True)
        else:
            generation.rename(generation.with_name(f"{_ASIDE}{generation.name}"))


def discard_index(folder: CollectionFolder) -> None:
    """Remove every generation; the next search or index run builds a new one from the catalog's vectors."""
    shutil.rmtree(folder.index, ignore_errors=True)


def find_index_damage(folder: CollectionFolder) -> list[Damage]:
    """List damage to the files of the newest generation, of guesses too; a missing index is no damage: it can be rebuilt."""
    found = []
    for part, place in (("index", folder.index), ("index of guesses", folder.guesses)):
        try:
            for newest in _generations(place)[:1]:
                verify_files(newest)
        except IndexDamagedError as error:
            found.append(Damage(part, str(error)))
    return found


def index_status(folder: CollectionFolder, catalog: CatalogReader, fingerprint: str) -> IndexStatus | None:
    """Read the status from the manifest of the newest generation, or ask the database.

    None if there is none of the model, or nothing in it. Vectors that are compared one by one are read from the catalog.
    """
    if catalog.database.vectors is not None:
        return status_in_database(catalog, fingerprint)
    if not catalog.meta(CURRENT_INDEX):
        return _status_without_files(catalog, fingerprint)
    generations = _generations(folder.index)
    try:
        manifest = read_manifest(generations[0]) if generations else None
    except IndexDamagedError:
        return None
    if manifest is None or manifest.fingerprint != fingerprint or not manifest.count:
        return None
    return IndexStatus(
        name=manifest.spec,
        vectors=manifest.count,
        bytes_per_vector=round(manifest.memory_bytes / max(manifest.count, 1)),
        recall=manifest.recall,
        queries=manifest.queries,
    )


def _status_without_files(catalog: CatalogReader, fingerprint: str) -> IndexStatus | None:
    count, dimension = count_vectors(catalog, fingerprint), known_models(catalog).get(fingerprint, 0)
    if not count or not dimension:
        return None
    spec = spec_for(catalog, count, dimension)
    if not spec.is_uncoded:
        return None
    is_in_bytes = spec.dimension == dimension and storage_of(catalog) is Storage.STANDARD
    return IndexStatus(
        name=str(spec),
        vectors=count,
        bytes_per_vector=spec.dimension * (1 if is_in_bytes else np.dtype(np.float32).itemsize),
        recall=1.0 if spec.dimension == dimension else None,
        queries=0,
    )


def _is_sound(generation: Path) -> bool:
    try:
        verify_files(generation)
    except IndexDamagedError:
        return False
    return True


def _generations(index_folder: Path) -> list[Path]:
    """List generation folders, the newest first."""
    if not index_folder.is_dir():
        return []
    numbered = [path for path in index_folder.iterdir() if path.name.isdigit()]
    return sorted(numbered, key=lambda path: int(path.name), reverse=True)
