"""searchkit: private search by meaning over your own files, offline, on a laptop CPU."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchkit.errors import SearchkitError
    from searchkit.library import Library
    from searchkit.types import Hit, IndexReport, SearchMode

__version__ = "0.1.0"
__all__ = ["Hit", "IndexReport", "Library", "SearchMode", "SearchkitError", "__version__"]

_HOMES = {
    "Hit": "searchkit.types",
    "IndexReport": "searchkit.types",
    "Library": "searchkit.library",
    "SearchMode": "searchkit.types",
    "SearchkitError": "searchkit.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'searchkit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
