"""The public face: index folders, search them, look at what there is. Everything else is built on this."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from searchkit.catalog import roots
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.collection_folder import (
    CollectionFolder,
    all_collections,
    collection_at,
    existing_collection,
    name_after_folder,
)
from searchkit.catalog.connection import open_for_reading, open_for_writing, readable_errors
from searchkit.catalog.meta import COVERED, MODEL, get_meta, set_meta
from searchkit.catalog.recovery_record import write_keepsake
from searchkit.catalog.session import reading, writing
from searchkit.config import load_settings, save_settings
from searchkit.embedding.store import ModelStore
from searchkit.errors import CollectionBusyError, ModelNotFoundError, NothingIndexedError, UsageError
from searchkit.home import Home
from searchkit.search.across import find_similar, put_together, read_request, search_options
from searchkit.search.query.file_types import with_known_types
from searchkit.search.query.filters import Filters
from searchkit.search.query.parse import ParsedQuery
from searchkit.search.searcher import CollectionSearcher, SearchOptions
from searchkit.types import (
    CollectionStatus,
    GroupBy,
    Hit,
    IndexReport,
    Passage,
    Progress,
    ProgressListener,
    RunOptions,
    SearchMode,
)

if TYPE_CHECKING:  # NumPy comes with it, which a search by words does without
    from searchkit.catalog.coverage import Coverage
    from searchkit.catalog.document_view import DocumentView
    from searchkit.embedding.embedder import Embedder
    from searchkit.ingest.index_run import IndexRun

AnyPath = str | os.PathLike[str]
_EVERYTHING = Filters()
_FORGET_SLACK = 5000  # vectors; forgetting is at once, and searches drop what is gone
_PLAIN = RunOptions()


def _no_listener(_: Progress) -> None:
    """Progress that nobody looks at."""


def _waiting(on_progress: ProgressListener, options: RunOptions) -> Callable[[str], None] | None:
    """What to do while another process writes: say so and wait, or None to give up."""
    if not options.wait:
        return None
    return lambda who: on_progress(Progress(f"Waiting for {who}", 0, None, ""))


class Library:
    """All collections below one data directory.

    `home`: the data directory, None for the user's own. `embedder`: used for every collection instead of the models
    that are installed; `open_model`: opens one of these in place of the store. Searching keeps catalogs and models open;
    `close`, or a `with` block, lets them go.
    """

    def __init__(
        self,
        home: AnyPath | None = None,
        *,
        embedder: "Embedder | None" = None,
        open_model: "Callable[[str], Embedder] | None" = None,
    ) -> None:
        self.home = Home(Path(home)) if home is not None else Home.default()
        self.models = ModelStore(self.home.models)
        self._embedder = embedder
        self._open_model = open_model
        self._open_models: dict[str, Embedder] = {}
        self._searchers: dict[str, CollectionSearcher] = {}

    def index(
        self,
        path: AnyPath,
        *,
        collection: str = "",
        model: str = "",
        on_progress: ProgressListener = _no_listener,
        options: RunOptions = _PLAIN,
    ) -> IndexReport:
        """Make a folder searchable, or bring it up to date: only what changed is read, only what is new is embedded.

        `collection`: by default the one that has this folder already, else one named after it. `model`: by default the
        collection's own, else the best one installed.

        Raises UsageError for what is no readable folder, CollectionBusyError if another process writes to the
        collection, ModelNotFoundError if there is no such model.
        """
        target = _absolute(path)
        folder = self._folder_that_forgot(target)
        if folder is None:
            _check_folder(target)
            folder = collection_at(self.home, collection) if collection else self._folder_for(target)
        embedder = self.embedder_for(folder, model)
        with writing(folder, _waiting(on_progress, options)) as connection:
            with connection.transaction():
                chosen = _chosen_root(connection, target, folder.name)
                set_meta(connection, MODEL, embedder.info.name)
            write_keepsake(folder, connection)
            return self.index_run(folder, connection, embedder, on_progress, options).run([chosen])

    def check(self, path: AnyPath) -> None:
        """Raise UsageError, as `index` would, for a path that cannot be indexed; changes nothing."""
        target = _absolute(path)
        if self._folder_that_forgot(target) is None:
            _check_folder(target)

    def collection_for(self, path: AnyPath, collection: str = "") -> str:
        """The name of the collection that `index` would put a folder into. Raises UsageError for an impossible name."""
        return (collection_at(self.home, collection) if collection else self._folder_for(_absolute(path))).name

    def refresh(
        self, collection: str, *, on_progress: ProgressListener = _no_listener, options: RunOptions = _PLAIN
    ) -> IndexReport:
        """Bring all folders of a collection up to date; see `index`. Raises CollectionNotFoundError, and what `index` raises."""
        folder = existing_collection(self.home, collection)
        embedder = self.embedder_for(folder, "")
        with writing(folder, _waiting(on_progress, options)) as connection:
            run = self.index_run(folder, connection, embedder, on_progress, options)
            return run.run(roots.all_roots(connection))

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        collections: Sequence[str] = (),
        mode: SearchMode | str = SearchMode.HYBRID,
        filters: Filters = _EVERYTHING,
        group_by: GroupBy | str = GroupBy.PASSAGE,
    ) -> list[Hit]:
        """The best k passages, best first; from all collections unless some are named; of each file the best alone by "file".

        The query may hold "phrases", -exclusions and filters (see search/query/parse.py); `filters` must hold besides. Phrases that
        nothing holds do not count in a sentence. With filters and nothing to look for, the first passages of the newest documents.

        Raises UsageError for an empty query, k < 1 or an unknown mode, NothingIndexedError.
        """
        return self._search(*read_request(query, filters, search_options(k, mode, group_by)), collections)

    def rank(
        self, query: str, *, k: int = 100, collections: Sequence[str] = (), mode: SearchMode | str = SearchMode.HYBRID
    ) -> list[Hit]:
        """What `search` finds, in its order, but quicker by far: see SearchOptions.is_order_enough. Raises as it does."""
        parsed, options = read_request(query, _EVERYTHING, search_options(k, mode, GroupBy.PASSAGE))
        return self._search(parsed, replace(options, is_order_enough=True), collections)

    def _search(self, query: ParsedQuery, options: SearchOptions, collections: Sequence[str]) -> list[Hit]:
        hits: list[Hit] = []
        for folder in self._chosen(collections):
            with readable_errors(folder.catalog):
                hits += self._searcher(folder).search(query, options)
        if not hits and query.phrases and query.is_sentence:  # nothing holds them as written: what comes nearest
            return self._search(replace(query, phrases=()), options, collections)
        return put_together(hits, query, options.k)

    def similar(
        self,
        path: AnyPath,
        line: int | None = None,
        *,
        k: int = 10,
        collections: Sequence[str] = (),
        filters: Filters = _EVERYTHING,
    ) -> list[Hit]:
        """The k passages nearest in meaning to an indexed file, or to its passage at a line, best first; none of its own.

        From all collections of the same model unless some are named. Nothing is embedded. `line`: in formats with pages
        and no lines, the page. Raises UsageError if no collection holds the file, or it has no such line.
        """
        options = replace(search_options(k, SearchMode.SEMANTIC, GroupBy.PASSAGE), filters=(with_known_types(filters),))
        folders = self._chosen(collections)
        others = [folder for folder in all_collections(self.home) if folder not in folders]
        with readable_errors(folders[0].catalog):
            chosen, rest = ([self._searcher(folder) for folder in some] for some in (folders, others))
            return find_similar(chosen, rest, _absolute(path), line, options)

    def collections(self) -> list[str]:
        """Names of all collections."""
        return [folder.name for folder in all_collections(self.home)]

    def roots(self, collection: str) -> tuple[Path, ...]:
        """The folders that a collection mirrors. Raises CollectionNotFoundError."""
        with reading(existing_collection(self.home, collection)) as connection:
            return tuple(root.path for root in roots.all_roots(connection))

    def status(self, collection: str) -> CollectionStatus:
        """What a collection holds. Raises CollectionNotFoundError."""
        from searchkit.catalog.status import collection_status
        from searchkit.index_store import index_status

        folder = existing_collection(self.home, collection)
        with reading(folder) as connection:
            fingerprint = self._fingerprint(get_meta(connection, MODEL) or "")
            status = collection_status(folder, connection, fingerprint)
        return replace(status, index=index_status(folder, fingerprint))

    def is_covered(self, collection: str) -> bool:
        """Whether every passage had a vector of the collection's model when its last index run ended; quick to ask."""
        with reading(existing_collection(self.home, collection)) as connection:
            fingerprint = self._fingerprint(get_meta(connection, MODEL) or "")
            return bool(fingerprint) and get_meta(connection, COVERED) == fingerprint

    def coverage(self, collection: str) -> "Coverage":
        """How much of a collection can be found by words and by meaning. Raises CollectionNotFoundError."""
        from searchkit.catalog.coverage import read_coverage

        with reading(existing_collection(self.home, collection)) as connection:
            return read_coverage(connection, collection, self._fingerprint(get_meta(connection, MODEL) or ""))

    def passages_of(self, hit: Hit, *, before: int = 6, after: int = 12) -> "DocumentView":
        """A hit's passage in its document, with so many passages before and behind it. Raises CollectionNotFoundError."""
        from searchkit.catalog.document_view import view_document

        with reading(existing_collection(self.home, hit.collection)) as connection:
            return view_document(connection, hit, before=before, after=after)

    def warm_up(self, collections: Sequence[str] = ()) -> None:
        """Load now what a first search by meaning would load: models and indexes. Raises what `search` raises."""
        self.search("warm up", k=2, collections=collections, mode=SearchMode.SEMANTIC)

    def forget(self, path: AnyPath) -> dict[str, int]:
        """Take a folder or file out of every collection that has it: documents removed, by collection.

        A root goes as a whole, and its collection with the last one. Something below a root is also left out of later
        runs, until it is indexed by name. The files are not touched. Raises UsageError if nothing there is indexed.
        """
        target = _absolute(path)
        found = {folder.name: self._forget_in(folder, target) for folder in all_collections(self.home)}
        removed = {name: count for name, count in found.items() if count is not None}
        if not removed:
            raise UsageError(f"Nothing at {target} is indexed. See what is: searchkit status")
        return removed

    def use_model(self, model: str, *, collection: str = "") -> int:
        """Make a model the one for new collections, or that of an existing one: passages that lack its vector then.

        What was embedded before by a model of the same root, base or adapted, is not embedded again but mapped; the rest comes
        with the next index run. Raises ModelNotFoundError if it is not installed, CollectionNotFoundError.
        """
        self.models.require(model)
        if not collection:
            save_settings(self.home, replace(load_settings(self.home), model=model))
            return 0
        from searchkit.index_store.remap import renew_index, switch_model

        folder = existing_collection(self.home, collection)
        if self._embedder is None and self.models.card(model) is None:
            self.models.open(model)  # the small model's package, not converted yet: what there is of it is known then
        with writing(folder) as connection:
            switched = switch_model(connection, self.models, model)
            if not switched.missing:
                renew_index(folder, connection, self._model(model), switched.forerunner)
        self.let_go(folder.name)
        return switched.missing

    def embedder_of(self, collection: str) -> "Embedder":
        """What embeds a collection. Raises CollectionNotFoundError, ModelNotFoundError."""
        return self.embedder_for(existing_collection(self.home, collection), "")

    def embedding_models(self) -> list[str]:
        """Names of the models that can embed here."""
        return self.models.names() if self._embedder is None else [self._embedder.info.name]

    def embedder_named(self, model: str) -> "Embedder":
        """An embedding model. Raises ModelNotFoundError, with what there is instead, if it is not installed."""
        if self._embedder is not None and model != self._embedder.info.name:
            raise ModelNotFoundError(f"No model named '{model}'. Installed: {self._embedder.info.name}.")
        return self._model(model)

    def sample_passages(self, collection: str, count: int) -> list[Passage]:
        """Some passages from all over a collection. Raises CollectionNotFoundError."""
        from searchkit.catalog.vectors import sample_passages

        with reading(existing_collection(self.home, collection)) as connection:
            return sample_passages(connection, count)

    def collections_using(self, model: str) -> list[str]:
        """Names of the collections that a model embeds."""
        using = []
        for folder in all_collections(self.home):
            with reading(folder) as connection:
                if get_meta(connection, MODEL) == model:
                    using.append(folder.name)
        return using

    def remove_model(self, model: str, *, force: bool = False) -> int:
        """Delete a model, a broken one too, and unset it as the one for new collections: bytes freed.

        Raises ModelNotFoundError if it is not installed, UsageError while a collection uses it, unless forced.
        """
        if not force and (using := self.collections_using(model)):
            raise UsageError(
                f"The model '{model}' is used by: {', '.join(using)}. Switch first (searchkit models use NAME -c"
                f" {using[0]}), or remove it all the same (--force); then only --mode lexical works until you switch"
            )
        freed_bytes = self.models.remove(model)
        self._open_models.pop(model, None)
        settings = load_settings(self.home)
        if settings.model == model:
            save_settings(self.home, replace(settings, model=""))
        return freed_bytes

    def sibling(self) -> "Library":
        """Another library over the same data directory, for another thread: one bears a single caller at a time.

        It shares the models that are open, which bear any number, and is closed by itself.
        """
        other = Library(self.home, embedder=self._embedder, open_model=self._open_model)
        other._open_models = self._open_models
        return other

    def close(self) -> None:
        """Let go of everything that is open."""
        for name in list(self._searchers):
            self.let_go(name)
        self._open_models = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _chosen(self, names: Sequence[str]) -> list[CollectionFolder]:
        if names:
            return [existing_collection(self.home, name) for name in dict.fromkeys(names)]
        folders = all_collections(self.home)
        if not folders:
            raise NothingIndexedError
        return folders

    def _searcher(self, folder: CollectionFolder) -> CollectionSearcher:
        if (opened := self._searchers.get(folder.name)) and not opened.is_current():
            self.let_go(folder.name)
        if folder.name not in self._searchers:
            connection = open_for_reading(folder.catalog)
            model = get_meta(connection, MODEL) or ""
            open_embedder = partial(self._model_of_collection, model, folder.name)
            self._searchers[folder.name] = CollectionSearcher(folder, connection, open_embedder)
        return self._searchers[folder.name]

    def let_go(self, name: str) -> None:
        """Close what searching a collection has opened; the next search opens it anew."""
        if searcher := self._searchers.pop(name, None):
            searcher.close()

    def index_run(
        self,
        folder: CollectionFolder,
        connection: CatalogWriter,
        embedder: "Embedder",
        on_progress: ProgressListener,
        options: RunOptions,
    ) -> "IndexRun":
        """A run with the user's limits, over a catalog that is open for writing."""
        from searchkit.ingest.index_run import IndexRun
        from searchkit.ingest.sandbox.messages import Limits

        settings = load_settings(self.home)
        limits = Limits(
            file_bytes=settings.max_file_megabytes * 1_000_000,
            seconds=settings.max_file_seconds,
            memory_bytes=settings.max_reader_megabytes * 1_000_000,
        )
        return IndexRun(folder, connection, embedder, limits, on_progress, options)

    def _forget_in(self, folder: CollectionFolder, target: Path) -> int | None:
        """Documents removed, None if the collection has nothing to do with the path."""
        from searchkit.catalog.forget import forget_path

        try:
            with writing(folder) as connection:
                removed = forget_path(connection, target)
                roots_left = roots.all_roots(connection)
                if removed:
                    self._renew_index(folder, connection)
        except CollectionBusyError:
            return self._forget_meanwhile(folder, target)
        if removed is not None and not roots_left:
            self.let_go(folder.name)
            folder.delete()
        return removed

    def _forget_meanwhile(self, folder: CollectionFolder, target: Path) -> int | None:
        """The same while another process indexes, which notices. Raises CollectionBusyError for a whole root."""
        from searchkit.catalog.forget import forget_path

        with reading(folder) as connection:
            if any(root.path.is_relative_to(target) for root in roots.all_roots(connection)):
                raise CollectionBusyError(
                    f"Collection '{folder.name}' is being indexed. Stop that (Ctrl-C), then forget the whole folder."
                )
        with readable_errors(folder.catalog), open_for_writing(folder.catalog) as connection:
            removed = forget_path(connection, target)
            write_keepsake(folder, connection)
            return removed

    def _renew_index(self, folder: CollectionFolder, connection: CatalogWriter) -> None:
        """Have the index file forget as well, at once if that is quick, else with the next run."""
        from searchkit.index_store import discard_index, refresh_index

        model = get_meta(connection, MODEL) or ""
        if self._fingerprint(model):
            refresh_index(folder, connection, self._model(model), slack=_FORGET_SLACK)
        else:
            discard_index(folder)

    def embedder_for(self, folder: CollectionFolder, requested: str) -> "Embedder":
        """The model named, the collection's own, the one set, or the best; looked for before anything is created."""
        own = ""
        if folder.exists():
            with reading(folder) as connection:
                own = get_meta(connection, MODEL) or ""
        return self._model(requested or own or load_settings(self.home).model)

    def _model(self, name: str) -> "Embedder":
        """An open model; the best one installed if none is named."""
        if self._embedder is not None:
            return self._embedder
        chosen = name or self.models.best()
        if chosen not in self._open_models:
            self._open_models[chosen] = (self._open_model or self.models.open)(chosen)
        return self._open_models[chosen]

    def _model_of_collection(self, model: str, collection: str) -> "Embedder":
        """The model that a collection was built with. Raises ModelNotFoundError if that is not installed any more."""
        try:
            return self._model(model)
        except ModelNotFoundError as error:
            raise ModelNotFoundError(
                f"Collection '{collection}' was built with the model '{model}', which is not installed. Import it again,"
                f" switch (searchkit models use NAME -c {collection}), or search by words: --mode lexical"
            ) from error

    def _fingerprint(self, model: str) -> str:
        """The model's fingerprint, "" if it is not installed any more."""
        if self._embedder is not None:
            return self._embedder.info.fingerprint
        return self._model(model).info.fingerprint if model in self.models.names() else ""

    def _folder_that_forgot(self, target: Path) -> CollectionFolder | None:
        """The collection in which a part of a root was forgotten that is now named again."""
        for folder in all_collections(self.home):
            with reading(folder) as connection:
                if target in roots.exclusions(connection):
                    return folder
        return None

    def _folder_for(self, root: Path) -> CollectionFolder:
        """The collection that has this root, else a free name after the folder."""
        folders = all_collections(self.home)
        name = name_after_folder(root)
        for folder in sorted(folders, key=lambda folder: folder.name != name):  # of several, the one named after it
            with reading(folder) as connection:
                if root in [known.path for known in roots.all_roots(connection)]:
                    return folder
        taken = {folder.name for folder in folders}
        names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
        return collection_at(self.home, next(free for free in names if free not in taken))


def _absolute(path: AnyPath) -> Path:
    if not os.fspath(path):
        raise UsageError("The path is empty. Name a folder, or . for the current one.")
    return Path(path).expanduser().resolve()


def _check_folder(path: Path) -> None:
    if path.is_file():
        raise UsageError(f"{path} is a file. Index the folder that holds it: searchkit index {path.parent}")
    if not path.is_dir():
        raise UsageError(f"There is no folder {path}. Check the spelling, or the drive that it should be on.")


def _chosen_root(connection: CatalogWriter, target: Path, collection: str) -> roots.Root:
    """The root to bring up to date for a path: its own, or the one in which it had been forgotten.

    Raises UsageError where a file would be in one collection twice.
    """
    for root in roots.all_roots(connection):
        if target != root.path and target.is_relative_to(root.path):
            if target not in roots.exclusions(connection):
                raise UsageError(
                    f"{target} is inside {root.path}, which '{collection}' has already. Run: searchkit index {root.path}"
                )
            roots.include_again(connection, target)
            return root
        if target != root.path and root.path.is_relative_to(target):
            raise UsageError(
                f"{target} holds {root.path}, which '{collection}' has already."
                f" Forget that first (searchkit forget {root.path}), or choose another collection: -c NAME"
            )
    return roots.add_root(connection, target)
