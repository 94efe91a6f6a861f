"""An index of a large collection's provisional vectors, on disk so that no search has to build it.

It is derived from the catalog like the index of true vectors, in a folder of its own. Passages that have got a true vector or have
gone since it was written are passed over when the catalog is asked for them, and those that came are added in memory.
"""

import secrets
import shutil
from dataclasses import dataclass

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.meta import GUESS_INDEX, set_meta
from searchkit.catalog.passages import count_provisional
from searchkit.catalog.provisional import Version, dimension_of, last_provisional, provisional_batches, version_of
from searchkit.home import CollectionFolder
from searchkit.index_store.build import Built
from searchkit.index_store.generations import load_generation, remove_leftovers, save_generation
from searchkit_indexes import DEFAULT_EFFORT, Code, CodedIndex, IndexSpec, Structure, build_index

_COMPARED_EXACTLY = 20_000  # provisional vectors, 20 MB; more are kept as 1-bit codes, and those on disk
_MOST_DIFFERENT = 0.1  # of those on disk: added or gone since


@dataclass(frozen=True, slots=True)
class GuessIndex:
    """An index of the provisional vectors with ids up to `last_id`."""

    index: CodedIndex
    last_id: int


def open_guess_index(folder: CollectionFolder, catalog: CatalogReader, version: Version) -> GuessIndex:
    """Open the index of the provisional vectors of a version, or build it in memory."""
    count = count_provisional(catalog, version.fingerprint)
    stored = _stored(folder, catalog, version, count)
    return stored or _built(catalog, count)


def write_guess_index(folder: CollectionFolder, catalog: CatalogWriter) -> None:
    """Bring the index on disk up to date; there is none for few vectors. The caller has the collection's lock."""
    if catalog.database.vectors is not None:  # a catalog that many machines share cannot say what is on one of them
        return
    version = version_of(catalog)
    count = count_provisional(catalog, version.fingerprint) if version else 0
    if version is None or count <= _COMPARED_EXACTLY:
        discard_guess_index(folder)
        return
    stored = _stored(folder, catalog, version, count)
    if stored is not None and last_provisional(catalog) - stored.last_id <= _MOST_DIFFERENT * count:
        return
    made = _built(catalog, count)
    built = Built(
        made.index,
        trained_count=count,
        effort=DEFAULT_EFFORT.get(Structure.RABITQ, 0),
        goal=0.0,
        recall=None,
        queries=0,
    )
    token = secrets.token_hex(8)
    save_generation(folder.guesses, built, version.fingerprint, made.last_id, _name(version, token))
    with catalog.transaction():
        set_meta(catalog, GUESS_INDEX, token)
    remove_leftovers(folder.guesses)


def discard_guess_index(folder: CollectionFolder) -> None:
    """Remove the index from the disk; the next run writes it again."""
    shutil.rmtree(folder.guesses, ignore_errors=True)


def _stored(folder: CollectionFolder, catalog: CatalogReader, version: Version, count: int) -> GuessIndex | None:
    """The index on disk, None if there is none of this catalog and version, or many of its vectors have gone."""
    token = _name(version, catalog.meta(GUESS_INDEX) or "")
    loaded = load_generation(folder.guesses, version.fingerprint, token)
    if loaded is None or len(loaded[0]) > (1 + _MOST_DIFFERENT) * count:
        return None
    return GuessIndex(loaded[0], loaded[1].last_id)


def _built(catalog: CatalogReader, count: int) -> GuessIndex:
    structure = Structure.FLAT if count <= _COMPARED_EXACTLY else Structure.RABITQ
    code = Code.FLOAT32 if structure is Structure.FLAT else Code.BIT1
    dimension = dimension_of(catalog)
    last = last_provisional(catalog)
    batches = provisional_batches(catalog, dimension)
    return GuessIndex(build_index(IndexSpec(structure, code, dimension), batches, expected=count), last)


def _name(version: Version, token: str) -> str:
    """What a generation is known by: the token is in the catalog, so that another catalog's ids are never taken for its own."""
    return f"{token}, learned from {version.learned_from}"
