"""Measures how good and how fast searchkit is: metrics, judged data sets, comparisons with other engines.

The names below are what front ends need.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchkit.evaluate.metrics import Metric
    from searchkit.evaluate.query_suggestions import suggest_queries, write_suggestions
    from searchkit.evaluate.retrieval.evaluation import evaluate_judged
    from searchkit.evaluate.retrieval.report import read_report, set_as_text, write_report
    from searchkit.evaluate.retrieval.results import RetrievalReport, SetReport

__all__ = [
    "Metric",
    "RetrievalReport",
    "SetReport",
    "evaluate_judged",
    "read_report",
    "set_as_text",
    "suggest_queries",
    "write_report",
    "write_suggestions",
]

_MODULES = {
    "searchkit.evaluate.metrics": "Metric",
    "searchkit.evaluate.query_suggestions": "suggest_queries write_suggestions",
    "searchkit.evaluate.retrieval.evaluation": "evaluate_judged",
    "searchkit.evaluate.retrieval.report": "read_report set_as_text write_report",
    "searchkit.evaluate.retrieval.results": "RetrievalReport SetReport",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'searchkit.evaluate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULE_OF[name]), name)
