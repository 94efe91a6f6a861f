"""A library whose searches a running daemon answers, so that no model need be loaded here."""

from collections.abc import Sequence

from searchkit.daemon.client import ask_daemon, is_answering
from searchkit.library import Library
from searchkit.search.query.parse import ParsedQuery
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.types import Hit


class DaemonLibrary(Library):
    """A Library in all else, and in all where no daemon answers."""

    def find(self, request: SearchRequest) -> SearchResponse:
        """See Library."""
        return ask_daemon(self.home, request) or super().find(request)

    def warm_up(self, collections: Sequence[str] = ()) -> None:
        """See Library; nothing to do where a daemon has done it."""
        if not is_answering(self.home):
            super().warm_up(collections)

    def _hits(self, request: SearchRequest) -> tuple[ParsedQuery, list[Hit]]:
        if response := ask_daemon(self.home, request):
            return response.query, list(response.hits)
        return super()._hits(request)
