"""Notices what is written to the collections that are searched, by whichever process. Knows no widgets."""

import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from searchkit.errors import SearchkitError
from searchkit_tui.search.session import SearchSession

if TYPE_CHECKING:  # loaded with the engine, behind the query box
    from searchkit import Library
    from searchkit.reports import Coverage

_SHARE = 5  # of the time, one part at most is spent on counting
_ASK_AGAIN_SECONDS = 5.0  # where a run may have ended without a word: it was killed
_NETWORK_SECONDS = 2.0  # between two looks at collections that are in a database


@dataclass(frozen=True, slots=True)
class StoreState:
    """What there is to find: the collections that are searched, how much of each, and the models that are installed."""

    collections: tuple[str, ...] = ()
    coverages: "tuple[Coverage, ...]" = ()
    models: tuple[str, ...] = ()

    @property
    def is_embedded_now(self) -> bool:
        """True while a run says that it is under way."""
        return any(each.embedding_rate for each in self.coverages)

    def is_found_as(self, other: "StoreState") -> bool:
        """True if a search finds the same: how fast a run goes is of no importance to it."""
        return _without_rates(self) == _without_rates(other)


class StoreWatch:
    """Looks at the collections of a session through a library of its own. Only what has changed is counted. `clock`: seconds."""

    def __init__(self, session: SearchSession, clock: Callable[[], float] = time.monotonic) -> None:
        self.state: StoreState | None = None
        self._session = session
        self._clock = clock
        self._versions: dict[str, Hashable] = {}
        self._counts: dict[str, Coverage | None] = {}
        self._counted_at = 0.0
        self._rests_until = 0.0

    @property
    def is_due(self) -> bool:
        """True if a look is possible, and the last one is long enough ago."""
        return self._session.is_open and self._clock() >= self._rests_until

    def look(self) -> StoreState | None:
        """Look again, and rest for a multiple of the time it took. Returns the state unless it is that of the last look."""
        started = self._clock()
        with self._session.watching() as library:
            before, self.state = self.state, self._looked(library, started)
            is_remote = any(_is_remote(library, name) for name in self.state.collections)
        took = self._clock() - started if before else 0.0  # the first look loads modules, too
        self._rests_until = started + max(_SHARE * took, _NETWORK_SECONDS if is_remote else 0.0)
        return None if self.state == before else self.state

    def _looked(self, library: "Library", now: float) -> StoreState:
        try:
            there = tuple(library.collections())
        except SearchkitError:  # config.toml is being edited, and makes no sense for now
            return self.state or StoreState()
        names = tuple(name for name in self._session.chosen or there if name in there)
        versions = {name: _version(library, name) for name in names}
        models, known = tuple(library.open_models.names()), self.state
        is_all_new = (
            known is None
            or models != known.models
            or (known.is_embedded_now and now - self._counted_at >= _ASK_AGAIN_SECONDS)
        )
        if known is not None and versions == self._versions and not is_all_new:
            return known
        for name in names:
            if is_all_new or name not in self._counts or versions[name] != self._versions.get(name):
                self._counts[name] = _coverage(library, name)
        self._versions, self._counted_at = versions, now
        counts = tuple(each for name in names if (each := self._counts[name]) is not None)
        return StoreState(names, counts, models)


def _version(library: "Library", name: str) -> Hashable:
    """A collection's version, None if it is gone or its database is away."""
    try:
        return library.collection(name, must_exist=False).version()
    except SearchkitError:
        return None


def _coverage(library: "Library", name: str) -> "Coverage | None":
    try:
        return library.collection(name).coverage()
    except SearchkitError:
        return None


def _is_remote(library: "Library", name: str) -> bool:
    with suppress(SearchkitError):
        return library.collection(name, must_exist=False).folder.url is not None
    return False


def _without_rates(state: StoreState) -> StoreState:
    return replace(state, coverages=tuple(replace(each, embedding_rate=0.0) for each in state.coverages))
