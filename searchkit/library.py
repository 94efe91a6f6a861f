"""A library: all collections of a data directory, and the searches across them. Everything else is built on this."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from searchkit.catalog import roots
from searchkit.catalog.connection import writing
from searchkit.catalog.meta import MODEL, set_meta
from searchkit.catalog.roots import RecoveryRecord, read_recovery_record, write_recovery_record
from searchkit.collection import Collection, no_listener, waiting
from searchkit.config import load_settings, save_settings, saved_settings
from searchkit.embedding.open_models import OpenModels
from searchkit.embedding.store import ModelStore
from searchkit.errors import (
    Action,
    CatalogError,
    CollectionNotFoundError,
    ExtraMissingError,
    NothingIndexedError,
    Option,
    Remedy,
    SearchkitError,
    UsageError,
)
from searchkit.home import (
    DatabaseUrl,
    Home,
    View,
    all_collections,
    collection_at,
    existing_collection,
    name_after_folder,
)
from searchkit.reports import CollectionStatus, IndexReport, ProgressListener, RunOptions, Work
from searchkit.search.on_demand import OnDemandReader
from searchkit.search.query.filters import Filters
from searchkit.search.query.parse import ParsedQuery
from searchkit.search.request import PassageAt, SearchRequest, SearchResponse
from searchkit.types import (
    MEANINGLESS_MODEL,
    NO_MODEL_AT_INDEXING,
    NO_MODEL_INSTALLED,
    GroupBy,
    Hit,
    Note,
    NoteKind,
    SearchMode,
)

if TYPE_CHECKING:  # imports NumPy, which a search by words does not need
    from collections.abc import Callable, Iterator

    from searchkit.catalog.catalog import CatalogWriter
    from searchkit.embedding.embedder import Embedder
    from searchkit.search.searcher import CollectionSearcher

AnyPath = str | os.PathLike[str]
_EVERYTHING = Filters()
_DEFAULTS = RunOptions()


class Library:
    """The collections of a data directory.

    `home`: the data directory, None for the user's own. `embedder`: used for every collection in place of the installed
    models; `open_model`: opens one of these instead of the store. Searching keeps catalogs, indexes and models open;
    `close`, or a `with` block, closes them. One thread at a time may use it; see `sibling`.
    """

    def __init__(
        self,
        home: AnyPath | None = None,
        *,
        embedder: "Embedder | None" = None,
        open_model: "Callable[[str], Embedder] | None" = None,
    ) -> None:
        if not isinstance(home, Home):
            home = Home(Path(home)) if home is not None else Home.default()
        self.home = home
        self.models = ModelStore(self.home.models)
        self.open_models = OpenModels(self.models, embedder, open_model)
        self._collections: dict[str, Collection] = {}
        self._reader = OnDemandReader()
        # Of what was asked last: collections whose database was not there, and why.
        self.away: dict[str, SearchkitError] = {}

    def share_reading(self, waiting: Callable[[], int]) -> None:
        """Have its searches and its siblings' read less on demand while others wait. `waiting`: how many do, beside those that
        were named before: a server has one pool for searches and one for answers.
        """
        before = self._reader.waiting
        self._reader.waiting = lambda: before() + waiting()

    def collections(self) -> list[str]:
        """List the names of all collections."""
        return [folder.name for folder in all_collections(self.home)]

    def collection(self, name: str, *, must_exist: bool = True) -> Collection:
        """Return a collection by name. Raises CollectionNotFoundError, with the existing ones, if it must exist but does not."""
        if must_exist:
            existing_collection(self.home, name)
        return self._named(name)

    def index(
        self,
        path: AnyPath,
        *,
        collection: str = "",
        model: str = "",
        to: str = "",
        on_progress: ProgressListener = no_listener,
        options: RunOptions = _DEFAULTS,
    ) -> IndexReport:
        """Index a folder, or sync it: only changed files are read, and only new passages embedded.

        `collection`: by default the one that already has this folder, else one named after it. `model`: by default the
        collection's own, else the one set for new collections, else the best installed. If none is installed, words alone
        are indexed; the next run after one was installed embeds what is stored. `to`: the address of a PostgreSQL database in
        which a new collection is to live; config.toml keeps it.

        Raises UsageError for anything but a readable folder, or an existing collection that does not live where `to` says;
        CollectionBusyError if another process writes to the collection, ModelNotFoundError if the model that was named or set
        is not installed, CatalogError if the database cannot be used.
        """
        target = _absolute(path)
        chosen = self._that_forgot(target)
        if chosen is None:
            _check_folder(target)
            chosen = self._named(collection) if collection else self._collection_for(target)
        if to:
            chosen = self._in_database(chosen, DatabaseUrl(to))
        is_new = not chosen.folder.exists()
        words_first = is_new and self.open_models.is_to_be_converted(model or load_settings(self.home).model)
        # Opened before anything is created.
        embedder = chosen.embedder_to_index(model=model) if is_new and not words_first else None
        with chosen.writing(waiting(on_progress, options), beside_others=True, work=Work.INDEX) as catalog:
            if not is_new:
                embedder = chosen.embedder_to_index(catalog, model, on_progress)
            with catalog.transaction():
                catalog.database.take_turns("roots")  # of folders that overlap, the second is refused
                root = _root_of(catalog, target, chosen.name)
                set_meta(catalog, MODEL, embedder.info.name if embedder else catalog.meta(MODEL) or "")
            write_recovery_record(chosen.folder, catalog)
            report = chosen.run(catalog, [root], embedder, on_progress, options)
        if not words_first:
            return report
        return report.followed_by(
            self.index(path, collection=chosen.name, model=model, on_progress=on_progress, options=options)
        )

    def check(self, path: AnyPath) -> None:
        """Raise UsageError, as `index` would, for a path that cannot be indexed; changes nothing."""
        target = _absolute(path)
        if not target.is_dir() and self._that_forgot(target) is None:
            _check_folder(target)

    def measure(self, path: AnyPath) -> Iterator[tuple[int, int]]:
        """Count the files of a folder that `index` would read, and their bytes: yields the sums so far again and again.

        What only the content shows is not looked at; files inside archives and mails are not counted. Raises UsageError as
        `check` does.
        """
        from searchkit.formats import PICTURE, UNSUPPORTED, format_by_name
        from searchkit.ingest.discover import OFFLINE, FoundFile, discover

        self.check(path)
        most = load_settings(self.home).max_file_megabytes * 1_000_000
        files = size_bytes = 0
        for found in discover(_absolute(path)):
            if isinstance(found, FoundFile) and found.kind != OFFLINE and found.size_bytes <= most:
                is_read = format_by_name(found.path) not in (PICTURE, UNSUPPORTED)
                files, size_bytes = files + is_read, size_bytes + is_read * found.size_bytes
            yield files, size_bytes

    def collection_for(self, path: AnyPath, collection: str = "") -> str:
        """The name of the collection that `index` would put a folder into. Raises UsageError for an impossible name."""
        return (self._named(collection) if collection else self._collection_for(_absolute(path))).name

    def find(self, request: SearchRequest) -> SearchResponse:
        """Search, with notes about the result.

        Raises UsageError for a request that makes no sense, CollectionNotFoundError if there is nothing to search,
        ModelNotFoundError if the request needs a model that is not installed.
        """
        from searchkit.search.across import notes_on_hits

        if request.lists_files and (listed := self._listed(request)):
            return listed
        query, hits = self._searched(request)
        if request.ranking_only:
            return SearchResponse(tuple(hits), (), query)
        notes = [*notes_on_hits(query, request.filters, request.mode, hits)] if request.like is None else []
        if hits and request.like is None and request.mode is not SearchMode.SEMANTIC:
            notes = [*self._corrected(request), *notes]
        notes += [*self._unreachable(), *self._not_read(request)]
        if request.mode is not SearchMode.LEXICAL:
            not_covered = dict.fromkeys(self._not_covered(request))  # what is said of the query is said once
            notes += [note for note in not_covered if request.like is None or note.kind is NoteKind.PARTLY_EMBEDDED]
        return SearchResponse(tuple(hits), tuple(notes), query)

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
        """Find the best k passages, best first. See SearchRequest for what the arguments mean; raises what `find` raises."""
        request = SearchRequest(query, k, _mode(mode), tuple(collections), filters, _group_by(group_by))
        return self._hits(request)

    def similar(
        self,
        path: AnyPath,
        line: int | None = None,
        *,
        k: int = 10,
        collections: Sequence[str] = (),
        filters: Filters = _EVERYTHING,
    ) -> list[Hit]:
        """Find the k passages nearest in meaning to an indexed file, or to its passage at a line; without the file's own.

        All collections of the same model are searched unless some are named. Nothing is embedded. `line`: in formats with
        pages and no lines, the page. Raises UsageError if no collection contains the file, or it has no such line.
        """
        like = PassageAt(_absolute(path), line)
        return self._hits(SearchRequest(k=k, collections=tuple(collections), filters=filters, like=like))

    def status(self, collection: str) -> CollectionStatus:
        """Count what a collection contains. Raises CollectionNotFoundError."""
        return self.collection(collection).status()

    def statuses(self) -> list[CollectionStatus]:
        """Count what each collection contains, but for those whose database is away: see `away`."""
        self.away, found = {}, []
        for collection in self._by_name():
            try:
                found.append(collection.status())
            except (CatalogError, CollectionNotFoundError, ExtraMissingError) as error:
                if collection.folder.url is None:
                    raise
                self.away[collection.name] = error
        return found

    def warm_up(self, collections: Sequence[str] = ()) -> None:
        """Load what a first search by meaning would load: models and indexes. Raises what `search` raises."""
        embedded = []
        for collection in self._chosen(collections):
            with _if_reachable(collection):
                embedded += [collection.name] if collection.model() else []
        if embedded:
            self.search("warm up", k=2, collections=embedded, mode=SearchMode.SEMANTIC)

    def forget(self, path: AnyPath) -> dict[str, int]:
        """Remove a folder or file from every collection that has it, with its opened hits; return documents removed by collection.

        See `Collection.forget`. The files are not touched. Raises UsageError if nothing there is indexed.
        """
        target = _absolute(path)
        found = {name: self._named(name).forget(target) for name in self.collections()}
        removed = {name: count for name, count in found.items() if count is not None}
        if not removed:
            raise UsageError(f"Nothing at {target} is indexed.", remedy=Remedy(Action.SEE_STATUS))
        return removed

    def use_model(self, model: str) -> None:
        """Use a model for new collections. Raises ModelNotFoundError if it is not installed."""
        self.models.require(model)
        save_settings(self.home, replace(saved_settings(self.home), model=model))

    def collections_using(self, model: str) -> list[str]:
        """List the collections that a model embeds."""
        using = []
        for collection in self._by_name():
            with _if_reachable(collection):
                using += [collection.name] if collection.model() == model else []
        return using

    def remove_model(self, model: str, *, force: bool = False) -> int:
        """Delete a model, even a broken one, and unset it as the one for new collections; return the bytes freed.

        Raises ModelNotFoundError if it is not installed, UsageError while a collection uses it, unless forced.
        """
        if not force and (using := self.collections_using(model)):
            raise UsageError(
                f"The model '{model}' is used by: {', '.join(using)}.",
                remedy=Remedy(Action.USE_MODEL, collection=using[0], sentence="Switch to another first")
                | Remedy(
                    Action.CHANGE_OPTION,
                    option=Option.FORCE,
                    sentence="Remove it all the same, and search by words only until you switch",
                ),
            )
        freed_bytes = self.models.remove(model)
        self.open_models.forget(model)
        settings = saved_settings(self.home)
        if settings.model == model:
            save_settings(self.home, replace(settings, model=""))
        return freed_bytes

    def sibling(self) -> "Library":
        """Another library over the same data directory, for another thread. It shares the open models, and must be closed too."""
        other = Library(self.home)
        other.models, other.open_models, other._reader = self.models, self.open_models, self._reader
        return other

    def as_seen_by(self, view: View) -> "Library":
        """Another library for somebody who may not see everything, which must be closed too. Only open models are shared."""
        other = Library(replace(self.home, view=view))
        other.models, other.open_models = self.models, self.open_models.fresh()
        return other

    def close(self) -> None:
        """Close everything that is open."""
        for collection in self._collections.values():
            collection.close()
        self._collections = {}
        self.open_models = self.open_models.fresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hits(self, request: SearchRequest) -> list[Hit]:
        """Search, without notes."""
        return self._searched(request)[1]

    def _listed(self, request: SearchRequest) -> SearchResponse | None:
        """The files that are listed, None for a request that passages answer."""
        from searchkit.search.across import notes_on_hits
        from searchkit.search.file_list import list_files, says_little

        if request.like is not None or not says_little(query := request.parsed()):
            return None
        note, hits = list_files(self._asked(request), request, query)
        notes = [note] if hits else [*notes_on_hits(query, request.filters, request.mode, hits)]
        return SearchResponse(tuple(hits), (*notes, *self._unreachable(), *self._not_read(request)), query)

    def _searched(self, request: SearchRequest) -> tuple[ParsedQuery, list[Hit]]:
        from searchkit.search.across import find_similar, search_across  # an index run needs none of it

        query = ParsedQuery("") if request.like else request.parsed()
        searchers = self._asked(request)
        if request.like is None:
            return query, search_across(searchers, request, query)
        chosen = self._chosen(request.collections)
        others = self._opened([each for each in self._by_name() if each not in chosen], must_answer=False)
        return query, find_similar(searchers, others, request, request.like)

    def _asked(self, request: SearchRequest) -> "list[CollectionSearcher]":
        """Open what a request asks; raises the first error if nothing of it can be opened."""
        self.away = {}
        searchers = self._opened(self._chosen(request.collections), must_answer=bool(request.collections))
        if not searchers:
            raise next(iter(self.away.values()))
        return searchers

    def _unreachable(self) -> "Iterator[Note]":
        for name, error in self.away.items():
            yield Note(NoteKind.UNREACHABLE, (), name, reason=str(error), remedy=error.remedy)

    def _corrected(self, request: SearchRequest) -> "Iterator[Note]":
        """The words that none of the collections has, with what was searched for instead."""
        from searchkit.search.across import unknown_words

        searchers = [collection.searcher() for collection in self._searchable(request)]
        unknown = unknown_words(searchers)
        shown = {typed: word for searcher in reversed(searchers) for typed, word in searcher.corrected.items()}
        if pairs := [(typed, word) for typed, word in shown.items() if typed in unknown]:
            yield Note(NoteKind.CORRECTED, tuple(word for pair in pairs for word in pair))

    def _not_read(self, request: SearchRequest) -> "Iterator[Note]":
        for collection in self._searchable(request):
            if files := collection.unread_files():
                yield Note(NoteKind.PARTLY_READ, (), collection.name, files=files, reason=collection.being_written())

    def _not_covered(self, request: SearchRequest) -> "Iterator[Note]":
        chosen = self._searchable(request)
        by_words = [collection for collection in chosen if not collection.model()]
        if by_words:
            names = () if len(by_words) == len(chosen) else tuple(collection.name for collection in by_words)
            can_be_embedded = bool(self.open_models.names())
            reason = NO_MODEL_AT_INDEXING if can_be_embedded else NO_MODEL_INSTALLED
            yield Note(NoteKind.WORDS_ONLY, names, by_words[0].name if can_be_embedded else "", reason=reason)
        for collection in chosen:
            if error := collection.searcher().model_error:
                names = (collection.name,)
                yield Note(NoteKind.WORDS_ONLY, names, collection.name, reason=str(error), remedy=error.remedy)
                continue
            if collection not in by_words and not collection.is_covered():
                counts = collection.coverage()
                if counts.vectors < counts.passages:
                    of = (collection.name, counts.vectors, counts.passages)
                    now = collection.being_written()
                    yield Note(NoteKind.PARTLY_EMBEDDED, (), *of, lazy=counts.lazy, reason=now)
                    if not request.wait or collection.searcher().is_hurried:
                        yield Note(NoteKind.MORE_TO_COME, (), collection.name)
            if cut := collection.searcher().cut:
                yield Note(NoteKind.QUERY_CUT, (f"{cut[0]:,}", f"{cut[1]:,}"))
            if collection.searcher().is_meaningless:
                kind = NoteKind.MEANINGLESS if request.mode is SearchMode.SEMANTIC else NoteKind.WORDS_ONLY
                yield Note(kind, (collection.name,), collection.name, reason=MEANINGLESS_MODEL)

    def _named(self, name: str) -> Collection:
        """A collection that may not exist. Raises UsageError for an impossible name."""
        folder, known = collection_at(self.home, name), self._collections.get(name)
        if known is not None and known.folder == folder:
            return known
        if known is not None:  # it has moved meanwhile
            known.close()
        self._collections[name] = Collection(folder, self.home, self.open_models, self._reader)
        return self._collections[name]

    def _chosen(self, names: Sequence[str]) -> list[Collection]:
        if names:
            return [self.collection(name) for name in dict.fromkeys(names)]
        folders = all_collections(self.home)
        if not folders:
            raise NothingIndexedError
        return [self._named(folder.name) for folder in folders]

    def _searchable(self, request: SearchRequest) -> list[Collection]:
        """The chosen collections but for those that the search could not ask."""
        return [collection for collection in self._chosen(request.collections) if collection.name not in self.away]

    def _opened(self, collections: Sequence[Collection], *, must_answer: bool) -> "list[CollectionSearcher]":
        """Open collections for searching, but for those whose database is away.

        Raises their error if they `must_answer`.
        """
        searchers = []
        for collection in collections:
            try:
                searchers.append(collection.searcher())
            except (CatalogError, CollectionNotFoundError, ExtraMissingError) as error:
                if collection.folder.url is None or must_answer:
                    raise
                self.away[collection.name] = error
        return searchers

    def _that_forgot(self, target: Path) -> Collection | None:
        """The collection in which a path was forgotten that is now indexed again."""
        collections = self._by_name()
        if any(target in record.folders for record in map(_record, collections) if record) and not any(
            record is None or target in record.excluded for record in map(_record, collections)
        ):
            return None  # a root, according to its collection's record: no catalog needs to be opened
        for collection in collections:
            with _if_reachable(collection), collection.reading() as catalog:
                if target in roots.exclusions(catalog):
                    return collection
        return None

    def _collection_for(self, root: Path) -> Collection:
        """The collection that has this root, else an unused name after the folder."""
        name = name_after_folder(root)
        known = sorted(self._by_name(), key=lambda each: each.name != name)  # if several, the one named after it
        recorded = [each for each in known if (record := _record(each)) and root in record.folders]
        for collection in recorded or known:
            with _if_reachable(collection):
                if recorded or root in collection.roots():
                    return collection
        taken = {collection.name for collection in known if not _is_unused(collection)}
        names = [name, *(f"{name}-{number}" for number in range(2, len(known) + 3))]
        return self._named(next(free for free in names if free not in taken))

    def _in_database(self, collection: Collection, url: DatabaseUrl) -> Collection:
        """Have a collection that does not exist yet live in a database. Raises UsageError if it exists elsewhere."""
        name, folder = collection.name, collection.folder
        if folder.url and folder.url.full == url.full:
            return collection
        known = {
            (each.full, each.collection or own): own for own, each in saved_settings(self.home).collections.items()
        }
        if renamed := known.get((url.full, name)):
            raise UsageError(
                f"The collection '{name}' in {url} is called '{renamed}' here.",
                remedy=Remedy(Action.CHANGE_OPTION, option=Option.COLLECTION, sentence="Choose another collection"),
            )
        if folder.exists():
            where = f"in {folder.url}" if folder.url else "on this machine"
            another = Remedy(Action.CHANGE_OPTION, option=Option.COLLECTION, sentence="Choose another collection")
            raise UsageError(
                f"There is a collection '{name}' already, {where}.",
                remedy=another if folder.url else Remedy(Action.MOVE, collection=name) | another,
            )
        with writing(replace(folder, url=url), beside_others=True):  # which creates it there, or says why it cannot be
            settings = saved_settings(self.home)
            save_settings(self.home, replace(settings, collections={**settings.collections, name: url}))
        self._collections.pop(name).close()
        return self._named(name)

    def _by_name(self) -> list[Collection]:
        return [self._named(name) for name in self.collections()]


def _is_unused(collection: Collection) -> bool:
    """True if a collection has no folder: a run was killed once it was created, or config.toml has a place for it alone."""
    try:
        return not collection.roots()
    except CollectionNotFoundError:
        return True
    except (CatalogError, ExtraMissingError):
        return False


def _if_reachable(collection: Collection) -> AbstractContextManager[None]:
    """Leave a block if it turns out that a collection's database is away; what is on this machine must be sound."""
    return (
        suppress(CatalogError, CollectionNotFoundError, ExtraMissingError) if collection.folder.url else nullcontext()
    )


def _record(collection: Collection) -> RecoveryRecord | None:
    """The roots in the file beside the catalog; a crash may leave it one change behind, so absence there proves nothing."""
    return read_recovery_record(collection.folder)


def _mode(mode: SearchMode | str) -> SearchMode:
    if mode not in list(SearchMode):
        raise UsageError(f"There is no mode '{mode}'. Modes: {', '.join(SearchMode)}.")
    return SearchMode(mode)


def _group_by(group_by: GroupBy | str) -> GroupBy:
    if group_by not in list(GroupBy):
        raise UsageError(f"Hits cannot be grouped by '{group_by}'. They can by: {GroupBy.FILE}.")
    return GroupBy(group_by)


def _absolute(path: AnyPath) -> Path:
    if not os.fspath(path):
        raise UsageError("The path is empty.", remedy="Name a folder, or . for the current one.")
    return Path(path).expanduser().resolve()


def _check_folder(path: Path) -> None:
    if path.is_file():
        raise UsageError(
            f"{path} is a file.",
            remedy=Remedy(Action.INDEX_FOLDER, sentence="Index the folder that contains it", path=path.parent),
        )
    if not path.is_dir():
        raise UsageError(f"There is no folder {path}.", remedy="Check the spelling, or the drive that it should be on.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise UsageError(f"{path} cannot be read.", remedy="Get the permission to read it, or index another folder.")


def _root_of(catalog: "CatalogWriter", target: Path, collection: str) -> roots.Root:
    """The root to sync for a path: its own, or the one in which it had been forgotten.

    Raises UsageError if a file would be in one collection twice.
    """
    for root in roots.all_roots(catalog):
        if target != root.path and target.is_relative_to(root.path):
            if target not in roots.exclusions(catalog):
                raise UsageError(
                    f"{target} is inside {root.path}, which is already in '{collection}'.",
                    remedy=Remedy(Action.INDEX_FOLDER, sentence="Sync that folder instead", path=root.path),
                )
            roots.include_again(catalog, target)
            return root
        if target != root.path and root.path.is_relative_to(target):
            raise UsageError(
                f"{target} contains {root.path}, which is already in '{collection}'.",
                remedy=Remedy(Action.FORGET, sentence="Forget that first", path=root.path)
                | Remedy(Action.CHANGE_OPTION, option=Option.COLLECTION, sentence="Choose another collection"),
            )
    return roots.add_root(catalog, target)
