"""What is typed while the UI starts is in its box once there is one."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

_PATIENCE_SECONDS = 60
_QUIT = b"\x11"


def test_text_typed_before_the_box_is_there_is_not_lost(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    environment = {**os.environ, "SEARCHKIT_HOME": str(tmp_path / "home"), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "searchkit", "tui"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    os.write(ours, b"lan")  # before Python itself has started
    seen = b""
    begun = asked_to_quit = False
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with suppress(OSError):  # the other end is closed
        while time.monotonic() < deadline and (part := os.read(ours, 4096)):
            seen += part
            if not begun and b"\x1b[?1049h" in seen:  # the screen is the UI's, its box is still to come
                os.write(ours, b"tern")
                begun = True
            if not asked_to_quit and b"lantern" in seen[seen.find(b"\x1b[?1049h") :]:
                os.write(ours, _QUIT)
                asked_to_quit = True
    os.close(ours)
    process.kill()
    process.wait()
    assert asked_to_quit, seen.decode(errors="replace")[-2000:]
