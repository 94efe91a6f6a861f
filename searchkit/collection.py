"""A collection: a catalog, an index and a model, and everything it stores on the disk."""

import shutil
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.catalog.catalog import CatalogReader, CatalogWriter, readable_errors
from searchkit.catalog.connection import drop, open_collection, reading, writing, writing_meanwhile
from searchkit.catalog.meta import COVERED, MODEL, STORAGE, UNREAD, set_meta
from searchkit.catalog.roots import Root, all_roots, write_recovery_record
from searchkit.config import load_settings, save_settings, saved_settings
from searchkit.embedding.known_models import get_again
from searchkit.embedding.open_models import OpenModels
from searchkit.embedding.store import GET_A_MODEL
from searchkit.errors import (
    Action,
    CollectionBusyError,
    CollectionNotFoundError,
    ModelError,
    ModelNotFoundError,
    Remedy,
    SearchkitError,
    UsageError,
)
from searchkit.files import path_from_text, path_to_text
from searchkit.home import CollectionFolder, Home
from searchkit.reports import (
    CollectionSizes,
    CollectionStatus,
    Coverage,
    DocumentView,
    EmbedReport,
    IndexReport,
    LeftOut,
    LeftOutRule,
    Progress,
    ProgressListener,
    RunOptions,
    Work,
    Writer,
)
from searchkit.search.click_log import erase_opened
from searchkit.search.on_demand import OnDemandReader
from searchkit.types import DocumentStatus, Hit, Passage, Storage

if TYPE_CHECKING:  # a search by words needs no NumPy, and an index run no searcher
    from searchkit.catalog.status import Counted
    from searchkit.embedding.embedder import Embedder
    from searchkit.ingest.index_run import IndexRun
    from searchkit.ingest.on_ray import RayCluster
    from searchkit.search.searcher import CollectionSearcher

_FORGET_SLACK = 5000  # vectors; forgetting is immediate, and searches drop what has been removed
_DEFAULTS = RunOptions()


PREPARING = Progress("Preparing the small model, once", 0, 100, "%")


def no_listener(_: Progress) -> None:
    """Ignore progress."""


class Collection:
    """One collection of a data directory. It may not exist yet: then indexing creates it.

    Searching keeps the catalog and the index open; `close` closes them, and the next search opens them again.
    """

    def __init__(
        self, folder: CollectionFolder, home: Home, models: OpenModels, reader: OnDemandReader | None = None
    ) -> None:
        self.folder = folder
        self.home = home
        self.models = models
        self._reader = reader or OnDemandReader()
        self._searcher: CollectionSearcher | None = None
        self._counted: Counted | None = None
        self._watched: tuple[CatalogReader, tuple[int, int]] | None = None

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.folder.name

    def reading(self) -> AbstractContextManager[CatalogReader]:
        """Open the catalog for reading, for the duration of a `with` block."""
        return reading(self.folder)

    @contextmanager
    def writing(
        self,
        on_wait: Callable[[str], None] | None = None,
        *,
        beside_others: bool = False,
        work: Work = Work.WRITE,
    ) -> Iterator[CatalogWriter]:
        """Open the catalog for writing, with the collection's lock; see `catalog.connection.writing`."""
        with ExitStack() as stack:
            with self.refusing():
                catalog = stack.enter_context(writing(self.folder, on_wait, beside_others=beside_others, work=work))
            yield catalog

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Have a CollectionBusyError of the block say how far whoever writes to the collection is."""
        from searchkit.catalog.writer import busy

        try:
            yield
        except CollectionBusyError as error:
            try:
                writer, left = self._writer()
            except SearchkitError:  # it has not been created yet, or its database has gone
                raise error from None
            if writer is None:
                raise error from None
            raise busy(self.name, writer, left) from None

    def being_written(self) -> str:
        """`being indexed, about 12 min left`: what another process does to the collection now; "" if none does anything."""
        writer, left = self._writer()
        return f"being {writer.work}{left}" if writer else ""

    def _writer(self) -> tuple[Writer | None, str]:
        """The process that writes to the collection now, and what it has left: `, about 12 min left`."""
        from searchkit.catalog.writer import writer_of
        from searchkit.display import progress_left

        with self.reading() as catalog:
            writer = writer_of(self.folder, catalog)
            if writer is None:
                return None, ""
            return writer, progress_left(self.coverage(), int(catalog.meta(UNREAD) or 0))

    def model(self) -> str:
        """The name of the model whose vectors the collection uses, "" if it has none yet or does not exist yet."""
        if not self.folder.exists():
            return ""
        with self._catalog() as catalog:
            return catalog.meta(MODEL) or ""

    def embedder(self, model: str = "") -> "Embedder":
        """Open the model named, else the collection's own, else the one set for new collections, else the best installed.

        Raises ModelNotFoundError.
        """
        return self.models.open(model or self.model() or load_settings(self.home).model)

    def embedder_to_index(
        self,
        catalog: CatalogReader | None = None,
        model: str = "",
        on_progress: ProgressListener = no_listener,
    ) -> "Embedder | None":
        """Open the same model for an index run; None if none is named or set and none is installed, or the collection's is gone.

        `catalog`: the collection's, open; None if it does not exist yet. Raises ModelNotFoundError if the model that was named
        or set is not installed, ModelError if it is damaged.
        """
        own = (catalog.meta(MODEL) or "") if catalog else ""
        if own and not model and not self.models.can_open(own):
            return None
        name = model or own or load_settings(self.home).model
        if self.models.is_to_be_converted(name):
            on_progress(PREPARING)
            self.models.prepare(
                name or self.models.store.best(), lambda progress: on_progress(replace(progress, stage=PREPARING.stage))
            )
        embedder = self.models.open(name) if name else self.models.best()
        if embedder is not None:
            self.models.check(embedder.info.name)
        return embedder

    def roots(self) -> tuple[Path, ...]:
        """The folders that the collection mirrors."""
        with self.reading() as catalog:
            return tuple(root.path for root in all_roots(catalog))

    def status(self) -> CollectionStatus:
        """Count what the collection contains, and list what could not be read."""
        from searchkit.catalog.status import collection_status
        from searchkit.catalog.writer import writer_of
        from searchkit.index_store import index_status

        with self.reading() as catalog:
            fingerprint = self._fingerprint(catalog)
            status = collection_status(self.folder, catalog, fingerprint)
            index = index_status(self.folder, catalog, fingerprint)
            return replace(status, index=index, writer=writer_of(self.folder, catalog))

    def sizes(self) -> CollectionSizes:
        """Say what each part takes. A large catalog is read for it, which takes seconds a gigabyte."""
        from searchkit.catalog.passages import count_passages
        from searchkit.catalog.storage import bytes_by_part
        from searchkit.catalog.vectors import storage_of
        from searchkit.files import folder_size_bytes
        from searchkit.index_store import index_status

        fingerprint = self.models.fingerprint(self.model()) or ""
        with self.reading() as catalog:
            parts, index = bytes_by_part(catalog), index_status(self.folder, catalog, fingerprint)
            return CollectionSizes(
                self.name,
                count_passages(catalog, fingerprint)[0],
                storage_of(catalog),
                folder_size_bytes(self.folder.path) + catalog.database.size_bytes(),
                parts.get("text"),
                parts.get("words"),
                parts.get("vectors"),
                sum(folder_size_bytes(place) for place in (self.folder.index, self.folder.guesses) if place.is_dir()),
                index.bytes_per_vector * index.vectors if index else 0,
            )

    def left_out(self) -> list[LeftOut]:
        """List what rules leave out of the folders now, but for those that are away, and what readers left out of documents."""
        from searchkit.catalog import documents
        from searchkit.catalog.roots import exclusions
        from searchkit.ingest.discover import left_out_of
        from searchkit.ingest.extract import ocr

        with self.reading() as catalog:
            roots, excluded = all_roots(catalog), exclusions(catalog)
            incomplete = documents.incomplete_documents(catalog)
        found: list[LeftOut] = []
        for root in roots:
            with suppress(UsageError):
                found += left_out_of(root.path, excluded)
        paths = {root.id: root.path for root in roots}
        for record in incomplete:
            path = paths[record.root_id] / path_from_text(record.path)
            if record.scanned_pages:
                found.append(LeftOut(path, LeftOutRule.OCR, whole_folder=False, source=ocr.missing()))
            found += [LeftOut(path, LeftOutRule.INSIDE, whole_folder=False, pattern=what) for what in record.left_out]
        return found

    def is_covered(self) -> bool:
        """True if every passage had a vector of the collection's model when its last index run ended; quick to ask."""
        with self._catalog() as catalog:
            fingerprint = self._fingerprint(catalog)
            return bool(fingerprint) and catalog.meta(COVERED) == fingerprint

    def unread_files(self) -> int:
        """Count the files that an index run has found and not read yet; quick to ask."""
        with self._catalog() as catalog:
            return int(catalog.meta(UNREAD) or 0)

    def coverage(self) -> Coverage:
        """Count what can be found by words and by meaning; cheaper than the full status."""
        from searchkit.catalog.status import Counted, read_coverage

        self._counted = self._counted or Counted()
        with self._catalog() as catalog:
            return read_coverage(catalog, self.name, self._fingerprint(catalog), self._counted)

    def version(self) -> Hashable:
        """A value that changes whenever another process, or another object here, has written to the collection; quick to ask again
        and again. In a database whatever is written there changes it.

        It keeps a connection open until `close`, and changes when the catalog is replaced. Raises CatalogError if it is away,
        CollectionNotFoundError if it was deleted.
        """
        with readable_errors(self.folder):
            if not self.folder.exists():
                raise CollectionNotFoundError(f"No collection named '{self.name}'.")
            identity = self.folder.identity()
            if self._watched is not None and (self._watched[1] != identity or not self._watched[0].database.is_open):
                self._unwatch()
            if self._watched is None:
                self._watched = open_collection(self.folder), identity
            return identity, self._watched[0].data_version

    def context_of(self, hit: Hit, *, before: int = 6, after: int = 12) -> DocumentView:
        """A hit's passage in its document, with the given numbers of passages before and after it."""
        from searchkit.catalog.stored_documents import view_document

        with self.reading() as catalog:
            return view_document(catalog, hit, before=before, after=after)

    def sample_passages(self, count: int) -> list[Passage]:
        """Sample passages from the whole collection."""
        from searchkit.catalog.passages import sample_passages

        with self.reading() as catalog:
            return [Passage(each.title, each.text) for each in sample_passages(catalog, count)]

    def refresh(self, *, on_progress: ProgressListener = no_listener, options: RunOptions = _DEFAULTS) -> IndexReport:
        """Sync all folders: only changed files are read, and only new passages embedded.

        A collection that was indexed without a model is embedded once there is one, from the text that is stored.

        Raises CollectionBusyError if another process writes to the collection, ModelNotFoundError.
        """
        with self.writing(waiting(on_progress, options), beside_others=True, work=Work.INDEX) as catalog:
            return self.run(
                catalog,
                all_roots(catalog),
                self.embedder_to_index(catalog, on_progress=on_progress),
                on_progress,
                options,
            )

    def run(
        self,
        catalog: CatalogWriter,
        chosen: Sequence[Root],
        embedder: "Embedder | None",
        on_progress: ProgressListener = no_listener,
        options: RunOptions = _DEFAULTS,
    ) -> IndexReport:
        """Sync some of its folders, within the user's limits on files; the catalog is open for writing.

        `embedder`: None to index words alone. It becomes the model of a collection that has none.
        """
        run = self._run_of(catalog, embedder, on_progress, options)
        with catalog.database.locked([path_to_text(root.path) for root in chosen], waiting(on_progress, options)):
            return run.run(chosen)

    def embed(
        self, *, on_progress: ProgressListener = no_listener, options: RunOptions = _DEFAULTS, ray: str = ""
    ) -> EmbedReport:
        """Embed what has no vector yet from the text that is stored, in a lazy collection too. No folder is looked at.

        Where a collection lives in PostgreSQL, any number of processes on any machines may do so at once, beside index runs.
        `ray`: the address of a Ray cluster whose machines do so; see `ingest.on_ray`.

        Raises CollectionBusyError if another process writes to the collection, ModelNotFoundError if there is no model; with a
        cluster UsageError for a collection of this machine, ExtraMissingError, ClusterError.
        """
        from searchkit.catalog.passages import count_passages

        cluster = self._on_ray(ray) if ray else nullcontext()
        others = waiting(on_progress, options)
        with cluster as by, self.writing(others, beside_others=True, work=Work.EMBED) as catalog:
            embedder = self.embedder_to_index(catalog, on_progress=on_progress)
            if embedder is None:
                own = catalog.meta(MODEL)
                missing = f"The model '{own}' of '{self.name}' is not installed." if own else "No model is installed."
                raise ModelNotFoundError(missing, remedy=get_again(own) if own else GET_A_MODEL)
            run = self._run_of(catalog, embedder, on_progress, options)
            embedded, seconds = run.embed(by) if by else run.embed()
            passages, covered = count_passages(catalog, embedder.info.fingerprint)
        return EmbedReport(self.name, embedder.info.name, embedded, passages - covered, seconds)

    @contextmanager
    def _on_ray(self, address: str) -> "Iterator[RayCluster]":
        """What embeds on the machines of a cluster."""
        from searchkit.ingest.on_ray import RayCluster, connected

        if self.folder.url is None:
            raise UsageError(
                f"Collection '{self.name}' lives on this machine, which alone embeds it.",
                remedy=Remedy(Action.MOVE, collection=self.name),
            )
        with connected(address):
            yield RayCluster(self.folder, self.models)

    def _choose_storage(self, catalog: CatalogWriter, chosen: Storage | None, for_new: Storage) -> int:
        """Have vectors in the form that was chosen from now on; return how many were converted.

        Raises UsageError where a database has its own form.
        """
        from searchkit.catalog.passages import count_chunks
        from searchkit.catalog.storage import change_storage

        if chosen is None and not catalog.meta(STORAGE) and not count_chunks(catalog):
            chosen = for_new
        if chosen is None or chosen.value == (catalog.meta(STORAGE) or Storage.STANDARD):
            return 0
        if self.folder.url is not None:
            raise UsageError(
                f"Collection '{self.name}' lives in PostgreSQL, which has vectors in half precision.",
                remedy="Choose the form for a collection of this machine.",
            )
        return change_storage(catalog, chosen)

    def _run_of(
        self, catalog: CatalogWriter, embedder: "Embedder | None", on_progress: ProgressListener, options: RunOptions
    ) -> "IndexRun":
        from searchkit.ingest.index_run import IndexRun
        from searchkit.ingest.sandbox.messages import Limits

        state = self.models.check(embedder.info.name) if embedder else ""
        if embedder is not None and not catalog.meta(MODEL):
            with catalog.transaction():
                set_meta(catalog, MODEL, embedder.info.name)
            write_recovery_record(self.folder, catalog)
        settings = load_settings(self.home)
        converted = self._choose_storage(catalog, options.storage, Storage(settings.storage))
        limits = Limits(
            file_bytes=settings.max_file_megabytes * 1_000_000,
            seconds=settings.max_file_seconds,
            memory_bytes=settings.max_reader_megabytes * 1_000_000,
            contained=settings.read_contained,
        )
        return IndexRun(
            self.folder,
            catalog,
            embedder,
            limits,
            on_progress,
            options,
            settings.lazy_above_passages,
            model_state=state,
            converted=converted,
        )

    def forget(self, path: Path) -> int | None:
        """Remove a folder or file (absolute path) from the collection, and the opened hits there; nothing on the disk.

        A root is removed as a whole, and the collection with its last root. A path below a root is also excluded from later
        runs, until it is indexed by name. Returns the number of documents removed, None if the collection has nothing at
        the path. Raises CollectionBusyError for a whole root while another process writes.
        """
        from searchkit.catalog.roots import forget_path

        try:
            with self.writing(work=Work.FORGET) as catalog:
                removed = forget_path(catalog, path)
                roots_left = all_roots(catalog)
                if removed:
                    self._shrink_index(catalog)
        except CollectionBusyError as error:
            return self._forget_meanwhile(path, error)
        if removed is not None and not roots_left:
            self._remove_files()
        elif removed is not None:
            erase_opened(self.home, collection=self.name, below=path)
        return removed

    def delete(self) -> int:
        """Remove the collection and all that it has left anywhere: index, training, evaluation, opened hits.

        The indexed files are not touched. Returns how many of them there were. Raises CollectionBusyError while another
        process writes to the collection.
        """
        from searchkit.catalog import documents

        with self.writing(work=Work.FORGET) as catalog:
            count = documents.count_by_status(catalog)[DocumentStatus.INDEXED]
        self._remove_files()
        return count

    def searcher(self) -> "CollectionSearcher":
        """Open the collection for searching; open it again after its model was changed or it was rebuilt."""
        from searchkit.search.searcher import CollectionSearcher

        if self._searcher is not None:
            if self._searcher.model_error is not None:
                self.models.forget(self.model())  # it may have been mended since
            if not self._searcher.is_current():
                self.close()
        if self._searcher is None:
            with readable_errors(self.folder):
                catalog = open_collection(self.folder)
                model = catalog.meta(MODEL) or ""
            self._searcher = CollectionSearcher(self.folder, catalog, lambda: self._own_model(model), self._reader)
        return self._searcher

    def close(self) -> None:
        """Close what searching has opened."""
        if self._searcher is not None:
            self._searcher.close()
            self._searcher = None
        self._unwatch()

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._watched[0].close()
            self._watched = None

    @contextmanager
    def _catalog(self) -> Iterator[CatalogReader]:
        """The catalog that searching has open, else one opened for this."""
        if self._searcher is not None and self._searcher.is_current():
            with readable_errors(self.folder):
                yield self._searcher.catalog
        else:
            with self.reading() as catalog:
                yield catalog

    def _fingerprint(self, catalog: CatalogReader) -> str:
        """The fingerprint of the collection's model, "" if it is no longer installed."""
        if self._searcher is not None and self._searcher.has_model:
            return self._searcher.fingerprint
        return self.models.fingerprint(catalog.meta(MODEL) or "")

    def _own_model(self, model: str) -> "Embedder":
        """Open the model that the collection was built with. Raises ModelNotFoundError if there is none, or no longer."""
        if not model:
            raise self.without_model()
        another = Remedy(Action.USE_MODEL, collection=self.name)
        try:
            return self.models.open(model)
        except ModelNotFoundError as error:
            raise ModelNotFoundError(
                f"Collection '{self.name}' was built with the model '{model}', which is not installed.",
                remedy=get_again(model) | another,
            ) from error
        except ModelError as error:
            raise ModelError(str(error), remedy=error.remedy | another if error.remedy else another) from error

    def without_model(self) -> ModelNotFoundError:
        """Make the error for a request that needs a model where the collection has none."""
        if self.models.names():
            return ModelNotFoundError(
                f"Collection '{self.name}' was indexed before there was a model, so only its words can be searched.",
                remedy=Remedy(Action.RESUME_INDEXING, collection=self.name, sentence="Embed it"),
            )
        return ModelNotFoundError(
            f"No model is installed, so only the words of '{self.name}' can be searched.",
            remedy=GET_A_MODEL,
        )

    def _shrink_index(self, catalog: CatalogWriter) -> None:
        """Remove forgotten vectors from the index file too, at once if that is quick, else with the next run."""
        from searchkit.index_store import discard_guess_index, discard_index, refresh_index

        discard_guess_index(self.folder)
        model = catalog.meta(MODEL) or ""
        if self.models.fingerprint(model):
            refresh_index(self.folder, catalog, self.models.open(model), slack=_FORGET_SLACK)
        else:
            discard_index(self.folder)

    def _forget_meanwhile(self, path: Path, refusal: CollectionBusyError) -> int | None:
        """Forget while another process indexes, which will notice. Raises CollectionBusyError for a whole root."""
        from searchkit.catalog.roots import forget_path

        with self.reading() as catalog:
            if any(root.path.is_relative_to(path) for root in all_roots(catalog)):
                raise CollectionBusyError(str(refusal), remedy="Stop that, then forget the whole folder.")
        with writing_meanwhile(self.folder) as catalog:
            removed = forget_path(catalog, path)
        if removed is not None:
            erase_opened(self.home, collection=self.name, below=path)
        return removed

    def _remove_files(self) -> None:
        """Remove everything that the collection has left in the data directory, also where version 0.1 put it."""
        self.close()
        erase_opened(self.home, collection=self.name)
        vectors, reports = self.home.earlier_training(self.name)
        shutil.rmtree(reports, ignore_errors=True)
        for file in (vectors, self.home.earlier_evaluation(self.name)):
            with suppress(FileNotFoundError, NotADirectoryError):
                file.unlink()
        with suppress(OSError):  # it does not exist, or contains other things too
            vectors.parent.rmdir()
        if self.folder.url is not None:
            drop(self.folder)
            settings = saved_settings(self.home)
            others = {name: url for name, url in settings.collections.items() if name != self.name}
            save_settings(self.home, replace(settings, collections=others))
        self.folder.delete()


def waiting(on_progress: ProgressListener, options: RunOptions) -> Callable[[str], None] | None:
    """The callback while another process writes: it reports the wait; None to give up."""
    if not options.wait:
        return None
    return lambda who: on_progress(Progress(f"Waiting for {who}", 0, None, ""))
