"""Compares two TREC runs on the same queries."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from searchkit.errors import EvaluationDataError
from searchkit.evaluate.metrics import Metric, score_rankings
from searchkit.evaluate.retrieval.report import changes_as_text, rounded_for_json
from searchkit.evaluate.retrieval.results import Changes, Difference, Estimate, differences, estimates, most_changed
from searchkit.evaluate.trec import read_qrels, read_run


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Run B minus run A. `missing_a`, `missing_b`: judged queries without documents in a run, which count as 0."""

    run_a: str
    run_b: str
    queries: int
    missing_a: int
    missing_b: int
    scores_a: Mapping[Metric, Estimate]
    scores_b: Mapping[Metric, Estimate]
    differences: tuple[Difference, ...]
    changes: Changes


def compare_runs(run_a: Path, run_b: Path, qrels_file: Path, texts: Mapping[str, str]) -> RunComparison:
    """Score two run files. `texts`: query texts by id, as far as known.

    Raises EvaluationDataError for files that cannot be read, or a run without any judged query.
    """
    qrels = read_qrels(qrels_file)
    rankings = {file: read_run(file) for file in (run_a, run_b)}
    missing = {file: len(qrels.keys() - ranked.keys()) for file, ranked in rankings.items()}
    for file, count in missing.items():
        if count == len(qrels):
            raise EvaluationDataError(
                f"{file} has none of the queries that {qrels_file} judges.", remedy="Choose two that belong together."
            )
    a, b = score_rankings(rankings[run_a], qrels), score_rankings(rankings[run_b], qrels)
    names = _names(run_a, run_b)
    return RunComparison(
        *names,
        queries=len(qrels),
        missing_a=missing[run_a],
        missing_b=missing[run_b],
        scores_a=estimates(a),
        scores_b=estimates(b),
        differences=tuple(differences(names[1], b, names[0], a)),
        changes=most_changed(names[1], b, names[0], a, texts),
    )


def comparison_as_json(comparison: RunComparison) -> dict[str, Any]:
    """Convert the comparison to JSON values."""
    rounded: dict[str, Any] = rounded_for_json(asdict(comparison))
    return rounded


def comparison_as_text(comparison: RunComparison) -> str:
    """Render a row for each metric, and the queries that changed most."""
    lines = [
        f"A: {comparison.run_a}",
        f"B: {comparison.run_b}",
        "",
        f"{comparison.queries:,} judged queries" + _missing(comparison),
        f"  {'':<10}  {'A':>6}  {'B':>6}  {'B − A':>7}  {'95 % interval':<18}  {'p':>6}",
    ]
    for one in comparison.differences:
        a, b = comparison.scores_a[one.metric].mean, comparison.scores_b[one.metric].mean
        interval = f"{one.low:+.4f} to {one.high:+.4f}"
        lines.append(f"  {one.metric:<10}  {a:.4f}  {b:.4f}  {one.mean:+.4f}  {interval:<18}  {one.p:.4f}")
    lines += (
        ["", *changes_as_text(comparison.changes)] if comparison.changes.winners or comparison.changes.losers else []
    )
    lines += ["", "Interval: paired bootstrap over queries. p: paired randomization test, two-sided."]
    return "\n".join(lines)


def _missing(comparison: RunComparison) -> str:
    parts = [
        f"{name} has no documents for {count:,}"
        for name, count in (("A", comparison.missing_a), ("B", comparison.missing_b))
        if count
    ]
    return f"; {' and '.join(parts)}, which count as 0" if parts else ""


def _names(run_a: Path, run_b: Path) -> tuple[str, str]:
    """Choose short names that differ."""
    if run_a.stem != run_b.stem:
        return run_a.stem, run_b.stem
    return str(run_a), str(run_b)
