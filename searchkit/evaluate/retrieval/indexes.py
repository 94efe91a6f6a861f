"""Chooses the indexes of an evaluation, and a data directory in which it may switch a collection to them."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from searchkit.catalog.connection import reading
from searchkit.embedding.embedder import Embedder
from searchkit.errors import CollectionBusyError, UsageError
from searchkit.evaluate.metrics import Relevance
from searchkit.evaluate.retrieval.search import IdsOf
from searchkit.files import make_private_folder
from searchkit.home import CollectionFolder, Home, collection_at, existing_collection
from searchkit.index_store.build import auto_spec
from searchkit.library import Library
from searchkit_indexes import IndexSpec

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class JudgedCollection:
    """A collection and judged queries; judgements refer to the ids that `ids_of` derives from hits.

    `home`: the data directory. `is_ours`: whether its index may be replaced; otherwise a copy is measured.
    """

    name: str
    home: Home
    collection: str
    queries: Mapping[str, str]
    qrels: Mapping[str, Relevance]
    ids_of: IdsOf
    is_ours: bool


def chosen_specs(
    judged: JudgedCollection, embedder: Embedder, names: Sequence[str] = (), dimensions: Sequence[int] = ()
) -> list[IndexSpec]:
    """Resolve index names, such as rabitq-1bit-256 or "auto", and add "auto" at each of the prefix dimensions.

    "auto" is the index that suits the size; for a user's collection, the one that it has. It is the default without names
    and dimensions. Raises UsageError for an unknown index name or dimension.
    """
    auto = _auto(judged, embedder)
    specs = [auto if name == AUTO else _parsed(name) for name in names]
    specs += [replace(auto, dimension=_possible(dimension, embedder)) for dimension in dimensions]
    for spec in specs:
        _possible(spec.dimension, embedder)
    return list(dict.fromkeys(specs)) or [auto]


@contextmanager
def measurable(judged: JudgedCollection, embedder: Embedder, specs: Sequence[IndexSpec]) -> Iterator[Home]:
    """Give exclusive use of the collection, or a copy whose index may be replaced; yields the data directory.

    Raises CollectionBusyError while another evaluation uses the collection.
    """
    if judged.is_ours:
        with _alone(existing_collection(judged.home, judged.collection)):
            yield judged.home
    elif specs == [_auto(judged, embedder)]:
        yield judged.home
    else:
        with tempfile.TemporaryDirectory(dir=make_private_folder(judged.home.evaluation.path)) as copy:
            _copy_catalog(judged, Home(Path(copy)))
            yield Home(Path(copy))


@contextmanager
def _alone(folder: CollectionFolder) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(folder.path / "evaluation.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise CollectionBusyError(
            f"{folder.name} is being evaluated by another process.", remedy="Wait for it, or stop it."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _copy_catalog(judged: JudgedCollection, home: Home) -> None:
    copy = collection_at(home, judged.collection)
    copy.create()
    with reading(existing_collection(judged.home, judged.collection)) as catalog:
        catalog.copy_to(copy.catalog)


def _auto(judged: JudgedCollection, embedder: Embedder) -> IndexSpec:
    with Library(judged.home, embedder=embedder) as library:
        status = library.status(judged.collection)
    if status.index and not judged.is_ours:
        with suppress(ValueError):  # of a database's own index, which is the only one there
            return IndexSpec.parse(status.index.name)
    return auto_spec(status.vectors, embedder.info.dimension)


def _parsed(name: str) -> IndexSpec:
    try:
        return IndexSpec.parse(name)
    except ValueError as error:
        raise UsageError(f"{error}, or {AUTO}.") from error


def _possible(dimension: int, embedder: Embedder) -> int:
    if not 0 < dimension <= embedder.info.dimension:
        raise UsageError(
            f"The model {embedder.info.name} has {embedder.info.dimension} dimensions; there is no prefix of {dimension}."
        )
    return dimension
