"""Measures how many texts engines embed per second, alternating on the same texts."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from searchkit.evaluate.speed.engine_process import EngineProcess
from searchkit.evaluate.speed.interleaving import OnStep, Spread, paired_ratio, pause, rotated
from searchkit.types import Passage


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """An engine's speed for many texts with one batch size (0: its own).

    `subject_ratio`: the subject's speed divided by the engine's, per round. `counted`: this is the engine's best batch size.
    `peak_megabytes`: the peak memory of its process so far, with any batch size.
    """

    engine: str
    batch_size: int
    chunks_per_second: Spread
    tokens_per_second: float
    subject_ratio: Spread
    counted: bool
    peak_megabytes: float | None


@dataclass(frozen=True, slots=True)
class Speed:
    """The speeds of engines on the same texts. `mean_tokens`: of the subject's inputs, special tokens included."""

    what: str
    rounds: int
    texts_per_round: int
    mean_tokens: float
    rows: tuple[SpeedRow, ...]


@dataclass(slots=True)
class _Lane:
    """An engine with one batch size, and its rates in each round."""

    process: EngineProcess
    batch_size: int
    chunk_rates: list[float] = field(default_factory=list)
    token_rates: list[float] = field(default_factory=list)

    def run(self, passages: Sequence[Passage]) -> None:
        inputs = self.process.engine.inputs
        texts = inputs.of_passages(passages)
        seconds = self.process.seconds_to_embed(texts, self.batch_size)
        self.chunk_rates.append(len(texts) / seconds)
        self.token_rates.append(sum(len(inputs.token_ids(text)) for text in texts) / seconds)


def measure_speed(
    what: str, processes: Sequence[EngineProcess], rounds: Sequence[Sequence[Passage]], on_step: OnStep
) -> Speed:
    """Embed passages round by round, alternating engines. The first process is the subject."""
    lanes = [_Lane(process, size) for process in processes for size in process.engine.batch_sizes]
    for lane in lanes:  # memory grows with the first texts of a length
        lane.process.seconds_to_embed(lane.process.engine.inputs.of_passages(rounds[0][:2]), lane.batch_size)
    for number, passages in enumerate(rounds):
        on_step(f"{what}: round {number + 1} of {len(rounds)}")
        for lane in rotated(lanes, number):
            pause()
            lane.run(passages)
    inputs = processes[0].engine.inputs
    lengths = [len(inputs.token_ids(text)) for passages in rounds for text in inputs.of_passages(passages)]
    best = {process.engine.name: _best([lane for lane in lanes if lane.process is process]) for process in processes}
    subject = best[processes[0].engine.name]
    return Speed(
        what=what,
        rounds=len(rounds),
        texts_per_round=max(len(passages) for passages in rounds),
        mean_tokens=statistics.mean(lengths),
        rows=tuple(_row(lane, subject, counted=lane is best[lane.process.engine.name]) for lane in lanes),
    )


def _best(lanes: Sequence[_Lane]) -> _Lane:
    return max(lanes, key=lambda lane: statistics.median(lane.chunk_rates))


def _row(lane: _Lane, subject: _Lane, *, counted: bool) -> SpeedRow:
    return SpeedRow(
        engine=lane.process.engine.name,
        batch_size=lane.batch_size,
        chunks_per_second=Spread.of(lane.chunk_rates),
        tokens_per_second=statistics.median(lane.token_rates),
        subject_ratio=paired_ratio(subject.chunk_rates, lane.chunk_rates),
        counted=counted,
        peak_megabytes=lane.process.memory().peak,
    )
