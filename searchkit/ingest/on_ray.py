"""Embeds a collection of a database by actors on the machines of a Ray cluster, each of which holds one model.

Ray starts the actors, hands out tickets, and starts again what is killed. A ticket says no more than that there is a block to
embed. Which passages that is, the database decides, as it does for every process that embeds (`pending.pending_pages`): a ticket
that is done twice takes other passages, what a killed actor had taken is free at once, and what two have computed is stored once.
"""

import logging
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from searchkit.catalog import pending
from searchkit.catalog.catalog import CatalogWriter, readable_errors
from searchkit.catalog.connection import writing
from searchkit.catalog.meta import note_rate
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.open_models import OpenModels
from searchkit.embedding.store import ModelStore
from searchkit.errors import Action, ClusterError, ExtraMissingError, ModelError, Remedy, SearchkitError
from searchkit.home import CollectionFolder, Home
from searchkit.ingest.embed_pending import COMMIT_SECONDS, EmbeddingProgress, embed_page, nothing
from searchkit.reports import never

LOCAL = "local"  # the address of a cluster that is this machine, for the time of the run
_BLOCK = 128  # passages a ticket: progress is seen that often
_TICKETS_AT_ONCE = 4000  # then the actors are started anew, with the machines that have come meanwhile
_ANSWER_SECONDS = 5.0
_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0  # while others have all that is left: if they are killed, it is free again
_COPY_IT = "Install it there, or copy its folder from this machine's data directory to that machine's."


@dataclass(frozen=True, slots=True)
class Work:
    """What an actor is told. `cores`: how many are its own; `fingerprint`: of the model's vectors."""

    folder: CollectionFolder
    models: OpenModels
    model: str
    fingerprint: str
    cores: int

    def open_model(self) -> Embedder:
        """Open the model in the data directory that was named, if this machine has it there, else in this machine's own.

        Raises ModelError if it is not there, damaged, or another of the same name.
        """
        models = self.models
        if not models.can_open(self.model):
            models = OpenModels(ModelStore(Home.default().models))
        if not models.can_open(self.model):
            raise ModelError(f"The machine {socket.gethostname()} has no model '{self.model}'.", remedy=_COPY_IT)
        embedder = models.fresh(self.cores).open(self.model)
        models.check(embedder.info.name)
        if embedder.info.fingerprint != self.fingerprint:
            message = f"The model '{self.model}' of the machine {socket.gethostname()} is not the one that is here."
            raise ModelError(f"{message} Their vectors do not fit together.", remedy=_COPY_IT)
        return embedder


class EmbeddingActor:
    """Embeds a block for each ticket. Its model, its connection and its place in the queue last as long as it does."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._open = ExitStack()  # until the process ends

    def __call__(self, _: object) -> dict[str, list[int] | list[bytes]]:
        """Embed about a block; the result has one row: passages and tokens, and the error that ended it, pickled.

        Errors are not raised: Ray adds to their messages.
        """
        try:
            with readable_errors(self._work.folder):
                done = self._block()
        except SearchkitError as error:
            return {"passages": [0], "tokens": [0], "error": [pickle.dumps(error)]}
        return {"passages": [done.passages], "tokens": [done.tokens], "error": [b""]}

    @cached_property
    def _embedder(self) -> Embedder:
        return self._work.open_model()

    @cached_property
    def _catalog(self) -> CatalogWriter:
        return self._open.enter_context(writing(self._work.folder, None, beside_others=True))

    @cached_property
    def _pages(self) -> Iterator[list[pending.PendingPassage]]:
        return pending.pending_pages(self._catalog, self._work.fingerprint, _BLOCK)

    def _block(self) -> EmbeddingProgress:
        passages = tokens = 0
        until = time.monotonic() + _PATIENCE_SECONDS
        while passages < _BLOCK:
            if (page := next(self._pages, None)) is not None:
                done = embed_page(self._catalog, self._embedder, page)
                passages, tokens = passages + done.passages, tokens + done.tokens
                continue
            del self._pages  # to begin again
            if passages or time.monotonic() > until or not pending.is_pending(self._catalog, self._work.fingerprint):
                break
            time.sleep(_LOOK_SECONDS)
        return EmbeddingProgress(passages, tokens)


@dataclass(frozen=True, slots=True)
class RayCluster:
    """Embeds on the machines of a cluster; see `embed_pending`, in whose place it does. For the duration of `connected`.

    `cores`: of each actor; 0 for one actor a machine, or several on machines that are several times as large as the smallest.
    `actors`: at most so many; 0 for as many as there is room for.
    """

    folder: CollectionFolder
    models: OpenModels
    cores: int = 0
    actors: int = 0

    def __call__(
        self,
        catalog: CatalogWriter,
        embedder: Embedder,
        on_progress: Callable[[EmbeddingProgress], None],
        is_interrupted: Callable[[], bool] = never,
        after_page: Callable[[], None] = nothing,
    ) -> EmbeddingProgress:
        """Embed everything that is pending. What other processes are embedding is left to them.

        Raises ClusterError, and what the actors raise, the machine named: ModelError, CatalogError.
        """
        machines = _machines()
        cores = self.cores or min(int(machine["Resources"]["CPU"]) for machine in machines)
        room = sum(int(machine["Resources"]["CPU"]) // cores for machine in machines)
        actors = min(self.actors or room, room)
        info = embedder.info
        work = Work(self.folder, self.models.fresh(), info.name, info.fingerprint, cores)
        _check(machines, work)
        passages = tokens = 0
        try:
            while left := pending.pending_tokens(catalog, info.fingerprint)[0]:
                before = passages
                for done in self._pass(
                    catalog, work, actors, tickets=min(_TICKETS_AT_ONCE, -(-left // _BLOCK) + actors)
                ):
                    passages, tokens = passages + done.passages, tokens + done.tokens
                    on_progress(EmbeddingProgress(passages, tokens))
                    if is_interrupted():
                        return EmbeddingProgress(passages, tokens)
                after_page()
                if passages == before:
                    break
        finally:
            with catalog.transaction():
                note_rate(catalog, 0.0)
        return EmbeddingProgress(passages, tokens)

    def _pass(self, catalog: CatalogWriter, work: Work, actors: int, tickets: int) -> Iterator[EmbeddingProgress]:
        """Hand out tickets; yield what was done for each."""
        import ray.data

        handed_out = ray.data.from_items(list(range(tickets)), override_num_blocks=tickets).map_batches(
            EmbeddingActor,
            fn_constructor_args=(work,),
            batch_size=None,
            compute=ray.data.ActorPoolStrategy(size=actors),
            num_cpus=work.cores,
        )
        began = last = time.monotonic()
        passages = 0
        with _readable_failures():
            for row in handed_out.iter_rows():
                if row["error"]:
                    raise pickle.loads(row["error"])  # noqa: S301  # of our own actor
                done = EmbeddingProgress(int(row["passages"]), int(row["tokens"]))
                passages += done.passages
                if time.monotonic() - last > COMMIT_SECONDS:
                    last = time.monotonic()
                    with catalog.transaction():
                        note_rate(catalog, passages / (last - began))
                yield done


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connect to the cluster at an address for the duration of a block; `LOCAL` starts one on this machine.

    Nothing is reported to Ray's makers, and no dashboard is started. Raises ExtraMissingError, ClusterError.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what actors raise is raised here, and not printed besides
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns of what its next version does
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ExtraMissingError(
            f"Embedding on a cluster needs Ray: {error}.", remedy=Remedy(Action.INSTALL_EXTRA, extra="ray")
        ) from error
    if address != LOCAL:
        _check_address(address)
    only_here = {"include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **only_here)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise _unreachable(address, _said(error)) from error
    try:
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        yield
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Raise ClusterError unless somebody listens at `HOST:PORT`, or the address is `auto`: Ray itself asks for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()) or "/" in address:
        raise ClusterError(
            "That is not the address of a Ray cluster.",
            remedy="Write HOST:PORT, as Ray says it where the cluster is started; auto for this machine's cluster; or local.",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, _said(error)) from error


def _unreachable(address: str, reason: str) -> ClusterError:
    return ClusterError(
        f"No Ray cluster that this machine can work with answers at {address}: {reason}.",
        remedy="Start one, have this machine join it, and name it again; or name local to use this machine alone.",
    )


def _said(error: BaseException) -> str:
    """What it comes down to: the first line, of a traceback from elsewhere the last one."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return (lines[-1] if "Traceback" in str(error) or "ray::" in lines[0] else lines[0])[:300].rstrip(".")


def _machines() -> list[dict[str, Any]]:
    import ray

    found = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not found:
        raise ClusterError("No machine of the cluster has a core to give.", remedy="Let one join it, then try again.")
    return found


def _check(machines: Sequence[dict[str, Any]], work: Work) -> None:
    """Raise what stands in the way on any of the machines, before anything is begun."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look = ray.remote(_look_there())
    asked = [
        look.options(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(machine["NodeID"], soft=False)
        ).remote(pickle.dumps(work))
        for machine in machines
    ]
    with _readable_failures():
        answers = ray.get(asked)
    for machine, answer in zip(machines, answers, strict=True):
        if isinstance(answer, SearchkitError):
            raise answer
        if answer:
            raise ClusterError(
                f"The machine {machine['NodeManagerHostname']} has no searchkit to embed with: {answer}.",
                remedy="Install the same version there, with the extras [postgres] and [ray]",
            )


def _look_there() -> Callable[[bytes], object]:
    """A function that travels whole, to machines that may have no searchkit."""

    def look(pickled: bytes) -> object:
        import pickle

        try:
            from searchkit.ingest.on_ray import problem_of

            work = pickle.loads(pickled)  # noqa: S301  # of the run that asks
        except Exception as error:  # noqa: BLE001  # another version may lack anything
            return f"{type(error).__name__}: {error}"
        return problem_of(work)

    return look


def problem_of(work: Work) -> SearchkitError | None:
    """What stands in the way on this machine; None if it can embed."""
    try:
        work.open_model()
        with writing(work.folder, None, beside_others=True):
            return None
    except SearchkitError as error:
        host = socket.gethostname()
        error.args = (str(error) if host in str(error) else f"On the machine {host}: {error}",)
        return error


@contextmanager
def _readable_failures() -> Iterator[None]:
    """Raise what Ray itself says as a ClusterError."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        message = f"The cluster has failed: {_said(error)}. What was stored is kept."
        raise ClusterError(message, remedy="Do it again: it goes on from there") from error
