"""The measurements of `searchkit bench embed`, their texts, and their report."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from types import TracebackType
from typing import Self

from searchkit import __version__
from searchkit.embedding.sample import SAMPLE_PAIRS
from searchkit.evaluate.beir import RetrievalData
from searchkit.evaluate.speed.engine import Engine
from searchkit.evaluate.speed.engine_process import EngineProcess
from searchkit.evaluate.speed.fidelity import CosineRow, RetrievalRow, measure_cosines, measure_retrieval
from searchkit.evaluate.speed.latency import Latency, LoadRow, SearchRow, measure_latency, measure_loads, measure_search
from searchkit.evaluate.speed.machine import Machine, describe_machine
from searchkit.evaluate.speed.throughput import OnStep, Speed, fixed_length_texts, measure_speed
from searchkit.types import Passage

PASSAGE_TOKENS = 256
QUERY_TOKENS = 16
SAMPLE_PASSAGES = tuple(Passage("", text) for _, text in SAMPLE_PAIRS)
_SAMPLE_QUERIES = tuple(query for query, _ in SAMPLE_PAIRS)
_LEAST_QUERY_TOKENS = 4  # a prompt may leave fewer of the wanted tokens
_TEXTS_CHECKED = 20
_LOAD_NOTICED = 0.5
_SEED = 1


class Section(StrEnum):
    """A part of the report that can be left out."""

    LOAD = "load"
    SPEED = "speed"
    LATENCY = "latency"
    SEARCH = "search"
    COSINES = "cosines"
    RETRIEVAL = "retrieval"


@dataclass(frozen=True, slots=True)
class Scale:
    """The number of repetitions: rounds of texts and of queries, starts of engines, searches from a shell in each mode."""

    rounds: int = 7
    texts: int = 16
    corpus_texts: int = 32
    queries: int = 20
    starts: int = 5
    searches: int = 11
    cosines: int | None = None  # passages, None for all


FULL = Scale()
QUICK = Scale(rounds=2, texts=4, corpus_texts=8, queries=5, starts=1, searches=3, cosines=20)


@dataclass(frozen=True, slots=True)
class Plan:
    """The engines and data to measure. The first engine is the subject; the others are compared with it.

    `variants`: the subject with other numbers of threads. `reference`: the fp32 engine whose vectors count as exact; it may
    be one of the engines; None for no comparison. `passages`: the source of texts of a given length, and for cosines.
    `corpus`: passages embedded unchanged, for speed at mixed lengths. A section without data is left out.
    """

    engines: tuple[Engine, ...]
    variants: tuple[Engine, ...]
    reference: Engine | None
    passages: Sequence[Passage]
    corpus: Sequence[Passage]
    retrieval: Sequence[RetrievalData]
    collection: str
    query: str
    sections: frozenset[Section]
    scale: Scale


@dataclass(frozen=True, slots=True)
class Report:
    """All figures; sections that were left out are empty. `notes`: caveats."""

    searchkit: str
    date: str
    command: str
    machine: Machine
    subject: str
    threads: int
    load: tuple[LoadRow, ...]
    speed: tuple[Speed, ...]
    latency: tuple[Latency, ...]
    search: tuple[SearchRow, ...]
    cosines: tuple[CosineRow, ...]
    retrieval: tuple[RetrievalRow, ...]
    notes: tuple[str, ...]


class Bench:
    """Measures engines, each in its own process that is idle while another runs; use it in a `with` block, which ends them."""

    def __init__(self, plan: Plan, on_step: OnStep) -> None:
        self._plan = plan
        self._on_step = on_step
        self._processes: dict[str, EngineProcess] = {}
        self._stack = ExitStack()

    def run(self, command: str) -> Report:
        """Measure all sections in order. `command`: the command line to show in the report.

        Raises BenchmarkError if an engine cannot be started, BenchmarkError if the collection cannot be searched.
        """
        plan = self._plan
        machine = describe_machine()  # before the benchmark causes load
        return Report(
            searchkit=__version__,
            date=datetime.now().astimezone().isoformat(timespec="minutes"),
            command=command,
            machine=machine,
            subject=plan.engines[0].name,
            threads=plan.engines[0].threads,
            load=self._load(),
            search=self._search(),
            speed=self._speed(),
            latency=self._latency(),
            cosines=self._cosines(),
            retrieval=self._retrieval(),
            notes=(*_note_of_load(machine), *self._notes_of_tokens()),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _load(self) -> tuple[LoadRow, ...]:
        if Section.LOAD not in self._plan.sections:
            return ()
        return measure_loads(self._plan.engines, self._plan.scale.starts, _SAMPLE_QUERIES[0], self._on_step)

    def _search(self) -> tuple[SearchRow, ...]:
        plan = self._plan
        if Section.SEARCH not in plan.sections or not plan.collection:
            return ()
        return measure_search(plan.collection, plan.query, plan.scale.searches, self._on_step)

    def _speed(self) -> tuple[Speed, ...]:
        if Section.SPEED not in self._plan.sections:
            return ()
        plan, scale = self._plan, self._plan.scale
        inputs = plan.engines[0].inputs
        tokens = min(PASSAGE_TOKENS, inputs.max_tokens)
        texts = fixed_length_texts(
            [passage.text for passage in plan.passages],
            tokens,
            lambda text: inputs.uncut_length(inputs.prompts.of_passage(Passage("", text))),
            seed=_SEED,
        )
        rounds = [[Passage("", text) for text in islice(texts, scale.texts)] for _ in range(scale.rounds)]
        processes = self._open([*plan.engines, *plan.variants])
        found = [measure_speed(f"inputs of {tokens} tokens", processes, rounds, self._on_step)]
        if plan.corpus:
            rounds = spread_over_rounds(plan.corpus, scale.rounds, scale.corpus_texts)
            found.append(measure_speed("mixed lengths", processes, rounds, self._on_step))
        return tuple(found)

    def _latency(self) -> tuple[Latency, ...]:
        if Section.LATENCY not in self._plan.sections:
            return ()
        plan, scale = self._plan, self._plan.scale
        inputs = plan.engines[0].inputs
        counts: dict[str, Callable[[str], int]] = {
            "prompt included": lambda text: inputs.uncut_length(inputs.prompts.of_query(text)),
            "and the prompt": inputs.tokenizer.count,
        }
        processes = self._open([*plan.engines, *plan.variants])
        found = []
        for what, count in counts.items():
            tokens = max(QUERY_TOKENS, count("") + _LEAST_QUERY_TOKENS)
            texts = fixed_length_texts(_SAMPLE_QUERIES, tokens, count, seed=_SEED)
            rounds = [list(islice(texts, scale.queries)) for _ in range(scale.rounds)]
            found.append(measure_latency(f"queries of {tokens} tokens, {what}", processes, rounds, self._on_step))
        return tuple(found)

    def _cosines(self) -> tuple[CosineRow, ...]:
        plan = self._plan
        if Section.COSINES not in plan.sections or plan.reference is None:
            return ()
        others = [engine for engine in plan.engines if engine.name != plan.reference.name]
        reference, *processes = self._open([plan.reference, *others])
        return measure_cosines(reference, processes, plan.passages[: plan.scale.cosines], self._on_step)

    def _retrieval(self) -> tuple[RetrievalRow, ...]:
        plan = self._plan
        if Section.RETRIEVAL not in plan.sections or not plan.retrieval:
            return ()
        processes = self._open([engine for engine in plan.engines if not engine.own_tokenizer])
        reference = self._open([plan.reference])[0] if plan.reference else None
        return tuple(
            row for data in plan.retrieval for row in measure_retrieval(data, reference, processes, self._on_step)
        )

    def _notes_of_tokens(self) -> tuple[str, ...]:
        """Note engines whose tokens differ from the subject's, so that they do different work."""
        inputs = self._plan.engines[0].inputs
        texts = inputs.of_passages(self._plan.passages[:_TEXTS_CHECKED])
        wanted = [inputs.token_ids(text) for text in texts]
        notes = []
        for name, process in self._processes.items():
            if process.engine.own_tokenizer:
                read = process.token_ids(texts)
                differing = sum(own != ids for own, ids in zip(read, wanted, strict=True))
                notes += (
                    [f"{name} reads {differing} of {len(texts)} texts as other tokens than searchkit does."]
                    if differing
                    else []
                )
        return tuple(notes)

    def _open(self, engines: Sequence[Engine]) -> list[EngineProcess]:
        """Return the engines' processes, and start those that do not run yet."""
        for engine in engines:
            if engine.name not in self._processes:
                self._on_step(f"starting {engine.name}")
                process = EngineProcess(engine, engine.inputs.of_queries([_SAMPLE_QUERIES[0]]))
                self._processes[engine.name] = self._stack.enter_context(process)
        return [self._processes[engine.name] for engine in engines]


def _note_of_load(machine: Machine) -> list[str]:
    if machine.load is None or machine.load < _LOAD_NOTICED:
        return []
    return [f"The machine was busy before the start (load {machine.load:.1f}): compare within a table only."]


def spread_over_rounds(corpus: Sequence[Passage], rounds: int, texts: int) -> list[list[Passage]]:
    """Distribute passages from all parts of a corpus over rounds, up to `texts` different ones per round; all if too few."""
    if len(corpus) < rounds:
        return [list(corpus)] * rounds
    wanted = min(rounds * texts, len(corpus))
    sample = [corpus[number * len(corpus) // wanted] for number in range(wanted)]
    return [sample[number::rounds] for number in range(rounds)]
