"""Which indexes an evaluation goes through, and a place where it may change a collection's index to them."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from searchkit.catalog.session import reading
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
    """A collection and queries with judgements of what `ids_of` makes of its hits.

    `home`: the data directory. `is_ours`: whether its index may be changed; of another a copy is measured.
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
    """The indexes of these names, such as rabitq-1bit-256 or "auto", and what "auto" gives at these prefix dimensions.

    Of no names and no dimensions what "auto" gives: what suits the size, but of a user's collection the index it has.
    Raises UsageError for a name or a dimension that there is not.
    """
    auto = _auto(judged, embedder)
    specs = [auto if name == AUTO else _parsed(name) for name in names]
    specs += [replace(auto, dimension=_possible(dimension, embedder)) for dimension in dimensions]
    for spec in specs:
        _possible(spec.dimension, embedder)
    return list(dict.fromkeys(specs)) or [auto]


@contextmanager
def measurable(judged: JudgedCollection, embedder: Embedder, specs: Sequence[IndexSpec]) -> Iterator[Home]:
    """The data directory of the collection while this evaluation has it alone, or of a copy whose index may change.

    Raises CollectionBusyError while another evaluation, which sets other indexes, has the collection.
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
            f"{folder.name} is being evaluated by another process. Wait for it, or stop it."
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
