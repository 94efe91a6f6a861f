"""A tiny app around one screen, and what a user does and sees in it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

PATIENCE_LOOKS = 1500  # of a hundredth of a second; whoever waits longer has failed


class SmallApp(App[None]):
    """Shows one screen over an empty one."""

    def __init__(self, make_screen: Callable[[], Screen[Any]]) -> None:
        super().__init__()
        self._make_screen = make_screen

    def on_mount(self) -> None:
        self.push_screen(self._make_screen())


class User:
    """Types, waits and looks."""

    def __init__(self, app: SmallApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object]) -> None:
        for _ in range(PATIENCE_LOOKS):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"It never came. What is seen:\n{self.seen}")

    async def until_seen(self, *texts: str) -> None:
        """Wherever lines are broken, which depends on how long the paths of temporary folders are."""
        await self.until(lambda: all(_on_one_line(text) in _on_one_line(self.seen) for text in texts))

    @property
    def seen(self) -> str:
        """All text on the screen, toasts included."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    @property
    def toasts(self) -> str:
        """All that pops up now; on the screen its lines are broken."""
        return "\n".join(toast.message for toast in self.app._notifications)

    @property
    def footer_keys(self) -> int:
        return sum(active.binding.show for active in self.app.screen.active_bindings.values())


@asynccontextmanager
async def shown(make_screen: Callable[[], Screen[Any]], size: tuple[int, int] = (120, 40)) -> AsyncIterator[User]:
    """The screen in an app without a terminal."""
    app = SmallApp(make_screen)
    async with app.run_test(size=size, notifications=True) as pilot:
        user = User(app, pilot)
        await pilot.pause()
        yield user


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
