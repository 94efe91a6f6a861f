"""Reads what `searchkit eval retrieval --out` has written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from searchkit.errors import UsageError
from searchkit.evaluate.metrics import Metric
from searchkit.evaluate.retrieval.results import (
    Change,
    Changes,
    Difference,
    Estimate,
    Latency,
    RetrievalReport,
    SetReport,
    WayRow,
)

REPORT_FILE = "report.json"


def read_report(path: Path) -> RetrievalReport:
    """The report in a file, or in the folder that `--out` named.

    Raises UsageError for a path that holds none.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        content = json.loads(file.read_text("utf-8"))
        return _report(content)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}. Make one: searchkit eval retrieval -c NAME --queries FILE --out FOLDER"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # no JSON, or not of this shape
        raise UsageError(
            f"{file} is no report of an evaluation. Choose a {REPORT_FILE} that searchkit eval retrieval --out has written."
        ) from error


def _report(content: Mapping[str, Any]) -> RetrievalReport:
    means = {way: {Metric(name): float(value) for name, value in row.items()} for way, row in content["means"].items()}
    return RetrievalReport(tuple(_set(one) for one in content["sets"]), means)


def _set(one: Mapping[str, Any]) -> SetReport:
    return SetReport(
        name=str(one["name"]),
        model=str(one["model"]),
        documents=int(one["documents"]),
        passages=int(one["passages"]),
        queries=int(one["queries"]),
        k=int(one["k"]),
        rows=tuple(_row(row) for row in one["rows"]),
        differences=tuple(Difference(**{**each, "metric": Metric(each["metric"])}) for each in one["differences"]),
        changes=_changes(one["changes"]) if one["changes"] else None,
    )


def _row(row: Mapping[str, Any]) -> WayRow:
    scores = {
        Metric(name): Estimate(**{part: float(value) for part, value in each.items()})
        for name, each in row["scores"].items()
    }
    latency = Latency(**row["latency"]) if row["latency"] else None
    return WayRow(str(row["way"]), str(row["mode"]), str(row["index"]), scores, latency)


def _changes(changes: Mapping[str, Any]) -> Changes:
    winners, losers = (tuple(Change(**each) for each in changes[side]) for side in ("winners", "losers"))
    return Changes(str(changes["way"]), str(changes["other"]), winners, losers)
