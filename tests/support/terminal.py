"""A command on a pseudo-terminal, as a person has it before them."""

import os
import pty
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

_PATIENCE_SECONDS = 120


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
