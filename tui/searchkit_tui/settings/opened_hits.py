"""Hits that are opened, noted with the queries that found them where the user has said so; knows no widgets."""

from collections.abc import Callable
from threading import Thread

from searchkit.errors import SearchkitError
from searchkit.home import Home
from searchkit.types import Hit

_KEPT = (
    "Hits that you open or copy are kept with their queries, on this machine alone, to learn from: `searchkit train opened`"
    " shows them, with `--erase` deletes them. With `keep_opened = false` in config.toml no more are kept."
)
THREAD = "opened hit"  # the name of those that write


class OpenedHits:
    """`home`: the data directory; None to keep nothing. `complain`: is told once why nothing can be kept, from any thread."""

    def __init__(self, home: Home | None = None, complain: Callable[[str], None] = lambda _: None) -> None:
        self._home = home
        self._complain = complain
        self._has_complained = False

    @property
    def are_kept(self) -> bool:
        """Whether they are."""
        return self._home is not None

    @property
    def help_note(self) -> str:
        """What the help says of it, "" if nothing is kept."""
        return _KEPT if self.are_kept else ""

    def note(self, query: str, hit: Hit) -> None:
        """Keep one, if they are kept and there is a query. Returns at once; what is noted is written even if the UI ends."""
        if self._home is not None and query.strip():
            Thread(target=self._write, args=(self._home, query, hit), name=THREAD).start()

    def _write(self, home: Home, query: str, hit: Hit) -> None:
        from searchkit.search.click_log import note_opened  # not needed to start

        try:
            note_opened(home, query, hit)
        except (SearchkitError, OSError) as error:
            if not self._has_complained:
                self._has_complained = True
                self._complain(f"{error}")
