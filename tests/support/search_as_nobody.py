"""A process that gives up its rights and then searches and indexes, for tests of a data directory that may not be written.

Usage: python -m tests.support.search_as_nobody WARM_UP_HOME HOME FOLDER QUERY
"""

import os
import sys

from searchkit.errors import SearchkitError
from searchkit.library import Library
from tests.support.hash_embedder import HashEmbedder

NOBODY = 65534


def main(warm_up: str, home: str, folder: str, query: str) -> None:
    """Print the name of the first hit, then the error that indexing ends with."""
    with Library(warm_up, embedder=HashEmbedder()) as library:  # all modules are loaded while they can be read
        library.search(query)
        library.index(folder)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    with Library(home, embedder=HashEmbedder()) as library:
        print(library.search(query)[0].path.name)  # noqa: T201
        try:
            library.index(folder)
        except SearchkitError as error:
            print(f"{type(error).__name__}: {error}")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
