"""A command on a pseudo-terminal, as a person has it before them."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_PATIENCE_SECONDS = 60
_TAKE_THE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


def on_a_terminal(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    answer: str = "",
    at: str = "",
    interrupt_at: str = "",
    is_input: bool = True,
) -> tuple[int, str]:
    """Run a command; returns its exit code and all that was on the screen.

    `answer`: typed once `at` is seen. `interrupt_at`: SIGINT once this is seen. `is_input`: False for a terminal that only shows
    stderr, while stdout goes nowhere.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=theirs if is_input else subprocess.DEVNULL,
        stdout=theirs if is_input else subprocess.DEVNULL,
        stderr=theirs,
        env={**environment, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with suppress(OSError):  # the other end is closed
        while time.monotonic() < deadline and (part := os.read(ours, 4096)):
            seen += part
            if answer and at.encode() in seen:
                os.write(ours, answer.encode())
                answer = ""
            if interrupt_at and interrupt_at.encode() in seen:
                process.send_signal(signal.SIGINT)
                interrupt_at = ""
    os.close(ours)
    return process.wait(timeout=20), seen.decode("utf-8", "replace")


class Typist:
    """Someone at a terminal, who types and waits for what comes."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._seen = b""

    def type(self, keys: str) -> None:
        """Type keys; what has been seen before no longer counts."""
        self._seen = b""
        os.write(self._terminal, keys.encode())

    def until(self, *texts: str) -> str:
        """Wait until all texts have come since the last keys; returns all that has come."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not all(text.encode() in self._seen for text in texts):
            if time.monotonic() > deadline:
                raise AssertionError(f"{texts} never came: {self._seen[-3000:]!r}")
            if select.select([self._terminal], [], [], 0.1)[0]:
                with suppress(OSError):  # the other end is closed
                    self._seen += os.read(self._terminal, 65536)
        return self._seen.decode("utf-8", "replace")


@contextmanager
def at_a_terminal(
    command: Sequence[str], environment: Mapping[str, str], *, folder: Path | None = None
) -> Iterator[Typist]:
    """Run a command that has a terminal of 100 by 30 cells as its own, until the block ends."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE_THE_TERMINAL, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**environment, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Typist(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
