"""A process of its own that renames the collection `docs` to `papers` and is killed before or after one of its steps.

Usage: python -m tests.support.rename_and_die HOME WHEN STEP, as in `before _switch`.
"""

import sys

from searchkit.library import Library
from searchkit.maintenance import mentions, rename
from tests.support.hash_embedder import HashEmbedder
from tests.support.move_and_die import deadly


def main(home: str, when: str, step: str) -> None:
    """Rename."""
    module = rename if hasattr(rename, step) else mentions
    setattr(module, step, deadly(getattr(module, step), when, 1))
    with Library(home, embedder=HashEmbedder()) as library:
        rename.rename_collection(library, "docs", "papers")


if __name__ == "__main__":
    main(*sys.argv[1:])
