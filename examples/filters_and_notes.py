"""Search recent Markdown and PDF files, one hit per file: python examples/filters_and_notes.py '"notice period" -draft'."""

import sys
from datetime import date, timedelta

from searchkit import Filters, GroupBy, Library, SearchRequest

request = SearchRequest(
    query=sys.argv[1],
    filters=Filters(types=("markdown", "pdf"), since=date.today() - timedelta(days=365)),
    group_by=GroupBy.FILE,
    min_score=0.3,
)

with Library() as library:
    response = library.find(request)

for hit in response.hits:
    print(f"{hit.score:.2f}  {hit.path.name}  {hit.date}  ({hit.more_in_file} more passages in this file)")
for note in response.notes:  # what the hits do not show: phrases that were not found, all weak, …
    print(f"note: {note.kind}")
