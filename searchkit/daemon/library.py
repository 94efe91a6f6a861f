"""A library whose searches a running engine answers, so that no model need be loaded here."""

from collections.abc import Sequence

from searchkit.daemon.client import ask_daemon, is_answering
from searchkit.daemon.protocol import SearchRequest
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.types import GroupBy, Hit, SearchMode

_EVERYTHING = Filters()


class DaemonLibrary(Library):
    """A Library in all else; without an engine in every way."""

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        collections: Sequence[str] = (),
        mode: SearchMode | str = SearchMode.HYBRID,
        filters: Filters = _EVERYTHING,
        group_by: GroupBy | str = GroupBy.PASSAGE,
    ) -> list[Hit]:
        """See Library."""
        if mode in list(SearchMode) and group_by in list(GroupBy):  # else it is refused, which needs no engine
            request = SearchRequest(query, k, tuple(collections), SearchMode(mode), filters, GroupBy(group_by))
            if (found := ask_daemon(self.home, request)) is not None:
                return list(found.hits)
        return super().search(query, k=k, collections=collections, mode=mode, filters=filters, group_by=group_by)

    def warm_up(self, collections: Sequence[str] = ()) -> None:
        """See Library; nothing to do where an engine has done it."""
        if not is_answering(self.home):
            super().warm_up(collections)
