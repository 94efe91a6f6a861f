"""Opens a collection's index, and updates it on disk."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader, CatalogWriter, readable_errors
from searchkit.catalog.connection import open_for_reading, open_for_writing
from searchkit.catalog.meta import CURRENT_INDEX, RECALL_GOAL, set_meta
from searchkit.catalog.passages import count_vectors
from searchkit.catalog.vector_codes import bytes_of, decoded
from searchkit.embedding.embedder import Embedder
from searchkit.errors import CatalogError, CollectionBusyError
from searchkit.files import make_private_folder
from searchkit.home import CollectionFolder
from searchkit.index_store.build import AIM, Built, TrainedCodebook, build_from_catalog, spec_for
from searchkit.index_store.generations import discard_index, load_generation, remove_leftovers, save_generation
from searchkit.index_store.in_database import index_in_database, refresh_in_database
from searchkit.types import Storage
from searchkit_indexes import (
    ByteCodes,
    Code,
    CodedIndex,
    Ids,
    IndexSpec,
    Manifest,
    SearchableIndex,
    Structure,
    Vectors,
    build_index,
)

_SLACK_SHARE = 0.02  # by which an index on disk may differ from the catalog; it is corrected in memory when opened
_LARGEST_SLACK = 5000
_ANY_ID = 2**63 - 1
_OUTGROWN = 2  # growth since the codes were trained, after which they are trained again


@dataclass(frozen=True, slots=True)
class PreviousModel:
    """The model that a collection had before. `make`: converts its (n, dimension) unit vectors to the current model's."""

    fingerprint: str
    make: Callable[[Vectors], Vectors]


def open_index(
    folder: CollectionFolder, catalog: CatalogReader, embedder: Embedder, opened: SearchableIndex | None = None
) -> SearchableIndex:
    """Open an index of all vectors of the model in the catalog: the database's own, if it has one.

    Loads the newest generation and updates it in memory. If there is no trustworthy one, builds one from the catalog's
    vectors, and writes it unless another process is writing or the folder is read-only. Vectors that are compared one by one are
    read from the catalog. `opened`: what was opened before, of the same model and catalog, which has changed since.
    """
    if (in_database := index_in_database(catalog, embedder)) is not None:
        return in_database
    if not catalog.meta(CURRENT_INDEX) and (spec := wanted_spec(catalog, embedder)).is_uncoded:
        if isinstance(opened, CodedIndex) and opened.spec == spec:
            _catch_up(opened, catalog, embedder, vectors.vector_ids(catalog, embedder.info.fingerprint))
            return opened
        return _of_all(catalog, embedder, spec)
    loaded = _load(folder, embedder)
    if loaded is None:
        _write_if_free(folder, embedder)
        loaded = _load(folder, embedder)
    if loaded is None:
        return _in_memory(catalog, embedder)
    index, manifest = loaded
    index.remove(vectors.removed_ids(catalog, up_to=manifest.last_id))
    for batch in vectors.vector_batches(
        catalog, embedder.info.fingerprint, embedder.info.dimension, above=manifest.last_id
    ):
        index.add(*batch)
    return index


def refresh_index(
    folder: CollectionFolder,
    catalog: CatalogWriter,
    embedder: Embedder,
    *,
    slack: int = 0,
    queries: Vectors | None = None,
    previous: PreviousModel | None = None,
) -> None:
    """Write a new generation if the newest one differs too much from the catalog, then remove the older ones.

    `slack`: number of vectors by which it may differ, if larger than the usual fiftieth; searches pay for them in memory and
    time. `queries`: (n, dimension), forces a rebuild that is measured with them (default: synthetic ones if a rebuild is
    necessary). `previous`: its index's codebook is reused. A damaged generation is set aside, not removed.
    """
    if refresh_in_database(catalog, embedder):
        return
    ids = vectors.vector_ids(catalog, embedder.info.fingerprint)
    wanted = _Wanted(wanted_spec(catalog, embedder, len(ids)), _goal(catalog))
    if wanted.spec.is_uncoded:
        _keep_none(folder, catalog)
        return
    make_private_folder(folder.index)
    loaded = (
        None
        if queries is not None
        else _usable(_named_generation(folder, catalog, embedder.info.fingerprint), embedder)
    )
    if loaded is None or _Wanted(loaded[0].spec, loaded[1].goal) != wanted or _is_outgrown(loaded[1], len(ids)):
        codebook = (
            _trained_codebook(folder, catalog, previous, wanted.spec, embedder.info.dimension) if previous else None
        )
        built = build_from_catalog(catalog, embedder, wanted.spec, goal=wanted.goal, queries=queries, codebook=codebook)
        _save(folder, catalog, built, embedder, ids)
    elif _differing(loaded[0].ids(), ids) > max(slack, min(_LARGEST_SLACK, int(_SLACK_SHARE * len(ids)))):
        _save(folder, catalog, _caught_up(*loaded, catalog, embedder, ids), embedder, ids)
    remove_leftovers(folder.index)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The specification and the recall that a collection's index should have."""

    spec: IndexSpec
    goal: float


def _caught_up(index: CodedIndex, manifest: Manifest, catalog: CatalogReader, embedder: Embedder, ids: Ids) -> Built:
    _catch_up(index, catalog, embedder, ids)
    index.compact()
    return Built(index, manifest.trained_count, manifest.effort, manifest.goal, manifest.recall, manifest.queries)


def _catch_up(index: CodedIndex, catalog: CatalogReader, embedder: Embedder, ids: Ids) -> None:
    """Add the catalog's missing vectors to the index, and remove those that left it."""
    known = index.ids()
    index.remove(np.setdiff1d(known, ids))
    missing = np.setdiff1d(ids, known)
    for start in range(0, len(missing), 8192):
        found, _, full = vectors.fetch_vectors(catalog, missing[start : start + 8192], embedder.info.dimension)
        index.add(found, full)


def _keep_none(folder: CollectionFolder, catalog: CatalogWriter) -> None:
    """Remove what is on disk of an index that is read from the catalog."""
    if catalog.meta(CURRENT_INDEX):
        with catalog.transaction():
            set_meta(catalog, CURRENT_INDEX, "")
    if len(vectors.removed_ids(catalog, up_to=_ANY_ID)):
        with catalog.transaction():
            vectors.forget_removed(catalog)
    discard_index(folder)


def _trained_codebook(
    folder: CollectionFolder, catalog: CatalogReader, previous: PreviousModel, spec: IndexSpec, dimension: int
) -> TrainedCodebook | None:
    """Take the codebook from the previous model's index of the same kind, if any; centroids are converted like vectors."""
    loaded = _named_generation(folder, catalog, previous.fingerprint)
    if loaded is None or loaded[0].spec != spec:
        return None
    index, manifest = loaded
    centroids = index.centroids() if spec.dimension == dimension else None
    return TrainedCodebook(None if centroids is None else previous.make(centroids), manifest.effort)


def _save(folder: CollectionFolder, catalog: CatalogWriter, built: Built, embedder: Embedder, ids: Ids) -> None:
    """Write a generation, then make it the current one."""
    token = secrets.token_hex(8)
    save_generation(folder.index, built, embedder.info.fingerprint, int(ids.max(initial=0)), token)
    with catalog.transaction():
        set_meta(catalog, CURRENT_INDEX, token)
        vectors.forget_removed(catalog)


def _load(folder: CollectionFolder, embedder: Embedder) -> tuple[CodedIndex, Manifest] | None:
    """The generation that the catalog names now, whatever a search's snapshot of it still says."""
    with open_for_reading(folder.catalog) as now:
        return _usable(_named_generation(folder, now, embedder.info.fingerprint), embedder)


def _named_generation(
    folder: CollectionFolder, catalog: CatalogReader, fingerprint: str
) -> tuple[CodedIndex, Manifest] | None:
    return load_generation(folder.index, fingerprint, catalog.meta(CURRENT_INDEX) or "")


def _usable(loaded: tuple[CodedIndex, Manifest] | None, embedder: Embedder) -> tuple[CodedIndex, Manifest] | None:
    return loaded if loaded and loaded[0].spec.dimension <= embedder.info.dimension else None


def _write_if_free(folder: CollectionFolder, embedder: Embedder) -> None:
    if not os.access(folder.path, os.W_OK):
        return
    from searchkit.catalog.writer import writer_lock

    try:
        with (
            readable_errors(folder),
            writer_lock(folder.path),
            open_for_writing(folder.catalog) as catalog,
        ):
            refresh_index(folder, catalog, embedder)
    except (CollectionBusyError, CatalogError):  # the index is then built in memory
        return


def _in_memory(catalog: CatalogReader, embedder: Embedder) -> CodedIndex:
    """Build an index fast for the searches of this process, without training or measuring."""
    spec = wanted_spec(catalog, embedder)
    if not spec.is_uncoded:
        spec = IndexSpec(Structure.RABITQ, Code.BIT1, spec.dimension)
    nothing = np.empty((0, embedder.info.dimension), np.float32)
    return build_from_catalog(catalog, embedder, spec, queries=nothing).index


def _of_all(catalog: CatalogReader, embedder: Embedder, spec: IndexSpec) -> CodedIndex:
    """An index that compares all vectors, as they are stored if that is in 8 bits."""
    ids, stored = vectors.all_stored(catalog, embedder.info.fingerprint)
    dimension = embedder.info.dimension
    length = bytes_of(Storage.STANDARD, dimension)
    if spec.dimension == dimension and all(len(each) == length for each in stored):
        codes = np.frombuffer(b"".join(stored), np.int8).reshape(len(stored), dimension)
        return CodedIndex(spec, ids, ByteCodes(codes))
    return build_index(spec, [(ids, decoded(stored, dimension))])


def wanted_spec(catalog: CatalogReader, embedder: Embedder, count: int | None = None) -> IndexSpec:
    """See `spec_for`; `count`: the number of vectors, None to count them."""
    if count is None:
        count = count_vectors(catalog, embedder.info.fingerprint)
    return spec_for(catalog, count, embedder.info.dimension)


def _goal(catalog: CatalogReader) -> float:
    return float(catalog.meta(RECALL_GOAL) or AIM)


def _is_outgrown(manifest: Manifest, count: int) -> bool:
    return count > _OUTGROWN * max(manifest.trained_count, 1)


def _differing(known: Ids, ids: Ids) -> int:
    return len(np.setxor1d(known, ids, assume_unique=True))
