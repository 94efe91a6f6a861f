"""A library whose searches the daemon answers, so that no model has to be loaded here."""

from collections.abc import Sequence

from searchkit.daemon.client import ask_daemon, is_answering
from searchkit.library import Library
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.types import Hit


class DaemonLibrary(Library):
    """A Library, except that the daemon searches if one answers."""

    def find(self, request: SearchRequest) -> SearchResponse:
        """See Library."""
        return ask_daemon(self.home, request) or super().find(request)

    def warm_up(self, collections: Sequence[str] = ()) -> None:
        """See Library; does nothing if there is a daemon, which has done it."""
        if not is_answering(self.home):
            super().warm_up(collections)

    def _hits(self, request: SearchRequest) -> list[Hit]:
        response = ask_daemon(self.home, request)
        return list(response.hits) if response else super()._hits(request)
