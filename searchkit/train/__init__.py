"""The corpus improves the model: pairs, losses, adapters, and proof before and after.

The name below is what front ends need.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchkit.train.adapter.adapt import adapt_collection

__all__ = ["adapt_collection"]


def __getattr__(name: str) -> Any:
    """Import the public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'searchkit.train' has no attribute {name!r}")
    from searchkit.train.adapter import adapt

    return adapt.adapt_collection
