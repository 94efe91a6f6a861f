"""One search, by the daemon that runs, else in this process."""

from searchkit.daemon.client import ask_daemon
from searchkit.home import Home
from searchkit.search.request import SearchRequest, SearchResponse


def find(home: Home, request: SearchRequest) -> SearchResponse:
    """Have a running daemon search, else a library opened for this. Raises what `Library.find` raises."""
    if response := ask_daemon(home, request):
        return response
    from searchkit.library import Library

    with Library(home) as library:
        return library.find(request)
