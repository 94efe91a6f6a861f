"""Says clearly that training needs more than searching does."""

import importlib.util

from searchkit.errors import ExtraMissingError


def require_torch() -> None:
    """Raise ExtraMissingError, which says how to get it, unless PyTorch is installed. Imports nothing."""
    if importlib.util.find_spec("torch") is None:
        raise ExtraMissingError(
            "Training needs PyTorch, which searching does not. Install the extra: pip install 'searchkit[train]'"
            " (from a clone: pip install -c constraints.txt -e '.[train]')"
        )
