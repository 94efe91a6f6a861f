"""Make a folder searchable, and search it: python examples/index_and_search.py ~/docs "when does the lease end"."""

import sys

from searchkit import Library

folder, query = sys.argv[1:]

with Library() as library:
    report = library.index(folder)
    print(f"{report.collection}: {report.added} files added, {report.unchanged} unchanged, {report.chunks} passages")

    for hit in library.search(query, k=5, collections=[report.collection]):
        place = f"page {hit.page}" if hit.page else f"line {hit.line}"
        print(f"{hit.score:.2f}  {hit.path}, {place}{'  (weak)' if hit.weak else ''}")
        print(f"      {hit.snippet}")
