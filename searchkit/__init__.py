"""searchkit: private search by meaning over your own files, offline, on a laptop CPU.

Names imported from here are public and stay as they are; other modules may change with any version.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchkit.collection import Collection
    from searchkit.daemon.client import DaemonLibrary
    from searchkit.errors import (
        Action,
        CatalogError,
        CollectionBusyError,
        CollectionNotFoundError,
        ConfigError,
        ModelError,
        ModelNotFoundError,
        NothingIndexedError,
        Remedy,
        SearchkitError,
        UsageError,
    )
    from searchkit.home import Home
    from searchkit.index_store.trials import Trial
    from searchkit.library import Library
    from searchkit.maintenance.rebuild import RebuildReport, rebuild_collection, verify_collection
    from searchkit.maintenance.rename import RenameReport, rename_collection
    from searchkit.maintenance.switch_model import embed_and_switch, switch_model
    from searchkit.maintenance.tune_index import TuneOptions, TuneReport, measure_indexes, set_index
    from searchkit.maintenance.watch import watch
    from searchkit.reports import CollectionSizes, CollectionStatus, Damage, IndexReport, Problem, Progress, RunOptions
    from searchkit.search.click_log import note_opened
    from searchkit.search.query.filters import Filters
    from searchkit.search.query.parse import TypedFilter, demands_of, filters_of, with_filters
    from searchkit.search.request import PassageAt, SearchRequest, SearchResponse
    from searchkit.types import GroupBy, Hit, Note, NoteKind, SearchMode, Storage

__version__ = "0.1.0"
__all__ = [
    "Library",
    "Collection",
    # searching
    "SearchRequest",
    "SearchResponse",
    "SearchMode",
    "Storage",
    "GroupBy",
    "Filters",
    "PassageAt",
    "Hit",
    "Note",
    "NoteKind",
    # indexing
    "RunOptions",
    "Progress",
    "IndexReport",
    "Problem",
    "CollectionSizes",
    "CollectionStatus",
    # looking after a collection
    "verify_collection",
    "Damage",
    "rebuild_collection",
    "RebuildReport",
    "rename_collection",
    "RenameReport",
    "switch_model",
    "embed_and_switch",
    "measure_indexes",
    "set_index",
    "TuneOptions",
    "TuneReport",
    "watch",
    # for front ends
    "Home",
    "DaemonLibrary",
    "Trial",
    "TypedFilter",
    "demands_of",
    "filters_of",
    "with_filters",
    "note_opened",
    # errors
    "SearchkitError",
    "Remedy",
    "Action",
    "UsageError",
    "ConfigError",
    "CollectionNotFoundError",
    "NothingIndexedError",
    "CollectionBusyError",
    "CatalogError",
    "ModelError",
    "ModelNotFoundError",
    "__version__",
]

_MODULES = {
    "searchkit.collection": "Collection",
    "searchkit.errors": "Action CatalogError CollectionBusyError CollectionNotFoundError ConfigError ModelError ModelNotFoundError"
    " NothingIndexedError Remedy SearchkitError UsageError",
    "searchkit.daemon.client": "DaemonLibrary",
    "searchkit.home": "Home",
    "searchkit.index_store.trials": "Trial",
    "searchkit.library": "Library",
    "searchkit.maintenance.rebuild": "RebuildReport rebuild_collection verify_collection",
    "searchkit.maintenance.rename": "RenameReport rename_collection",
    "searchkit.maintenance.switch_model": "embed_and_switch switch_model",
    "searchkit.maintenance.tune_index": "TuneOptions TuneReport measure_indexes set_index",
    "searchkit.maintenance.watch": "watch",
    "searchkit.reports": "CollectionSizes CollectionStatus Damage IndexReport Problem Progress RunOptions",
    "searchkit.search.click_log": "note_opened",
    "searchkit.search.query.parse": "TypedFilter demands_of filters_of with_filters",
    "searchkit.search.query.filters": "Filters",
    "searchkit.search.request": "PassageAt SearchRequest SearchResponse",
    "searchkit.types": "GroupBy Hit Note NoteKind SearchMode Storage",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing searchkit costs nothing."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'searchkit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
