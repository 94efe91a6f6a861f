"""searchkit: private search by meaning over your own files, offline, on a laptop CPU."""

import os
from typing import TYPE_CHECKING, Any

# OpenBLAS, which NumPy brings along and which reads this when it is loaded, keeps its threads spinning for 2^26 cycles after
# each product: on few cores that takes a third of the time of a search from the model that runs next. Now 2^8.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "8")

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
