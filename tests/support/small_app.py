"""A tiny app around one screen, and what a user does and sees in it."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from rich.segment import Segment
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from searchkit.library import Library
from searchkit_tui.jobs.notices import announce
from searchkit_tui.jobs.runner import JobRunner

STEADY_LOOKS = 5
PATIENCE_LOOKS = 6000  # of a hundredth of a second; whoever waits longer has failed


class Driver:
    """Types, waits and looks."""

    def __init__(self, app: App[Any], pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.pilot.press(*("space" if sign == " " else sign for sign in text))

    async def until(self, condition: Callable[[], object]) -> None:
        for _ in range(PATIENCE_LOOKS):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"It never came true. Toasts: {self.toasts}. On the screen:\n{self.seen}")

    async def until_seen(self, *texts: str) -> None:
        """Wherever lines are broken, which depends on how long the paths of temporary folders are."""
        await self.until(lambda: all(_on_one_line(text) in _on_one_line(self.seen) for text in texts))

    async def settle(self, *texts: str) -> None:
        """Wait until the texts are seen and the picture has stopped changing: each look waits for all messages to be handled."""
        await self.until_seen(*texts)
        looks = [self._picture()]
        while len(looks) < STEADY_LOOKS or any(look != looks[-1] for look in looks[-STEADY_LOOKS:]):
            assert len(looks) < PATIENCE_LOOKS, f"It never came to rest. On the screen:\n{self.seen}"
            await self.pilot.pause(0.01)
            looks.append(self._picture())

    def _picture(self) -> list[list[Segment]]:
        return [list(strip) for strip in self.app.screen._compositor.render_strips()]

    @property
    def seen(self) -> str:
        """All text on the screen, toasts included."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    @property
    def toasts(self) -> list[str]:
        """The messages of all toasts; on the screen their lines are broken."""
        return [toast.message for toast in self.app._notifications]

    @property
    def footer_keys(self) -> int:
        return sum(active.binding.show for active in self.app.screen.active_bindings.values())


class SmallApp(App[None]):
    """Shows one screen over an empty one. `jobs` run over a library, if there is one."""

    def __init__(self, make_screen: Callable[["SmallApp"], Screen[Any]], library: Library | None = None) -> None:
        super().__init__()
        self.library = library
        self.jobs = JobRunner(self._library, self._spawn, lambda job: announce(self, self._library, job))
        self._make_screen = make_screen

    def on_mount(self) -> None:
        self.push_screen(self._make_screen(self))

    def _library(self) -> Library:
        assert self.library is not None
        return self.library

    def _spawn(self, work: Coroutine[Any, Any, None]) -> object:
        return self.run_worker(work, group="jobs", exit_on_error=False)


class User(Driver):
    """The user of a small app."""

    app: SmallApp


@asynccontextmanager
async def shown(
    make_screen: Callable[[SmallApp], Screen[Any]], size: tuple[int, int] = (120, 40), library: Library | None = None
) -> AsyncIterator[User]:
    """The screen in an app without a terminal."""
    app = SmallApp(make_screen, library)
    async with app.run_test(size=size, notifications=True) as pilot:
        user = User(app, pilot)
        await pilot.pause()
        yield user


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
