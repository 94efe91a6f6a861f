"""The limits that a worker sets itself before it opens a file, as far as the system supports them."""

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

_FORBIDDEN = (
    "socket.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.spawn",
    "os.startfile",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.truncate",
    "shutil.",
    "ftplib.",
    "smtplib.",
    "urllib.",
    "webbrowser.",
)
_PROGRAMS = frozenset(("tesseract",))
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class ForbiddenError(PermissionError):
    """A reader tried something that no reader needs: the network, another program, a change to the disk."""


def limit_resources(memory_bytes: int) -> None:
    """Limit memory, core files and open files. Linux limits a process's data; elsewhere only time is limited."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    _, hardest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hardest), hardest))


def limit_time(seconds: int) -> None:
    """End this process after that many seconds, even if no other process is left to end it; 0 removes the limit."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def forbid_side_effects() -> None:
    """Forbid Python code in this process to use the network, start programs or write outside its own folder.

    It guards against libraries' side effects, not against hostile machine code.
    """
    own_folder = Path(tempfile.gettempdir()).resolve()

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_FORBIDDEN) and not _is_inside(arguments[0] if arguments else None, own_folder):
            raise ForbiddenError(f"a reader may not use {event}")
        if event == "subprocess.Popen" and Path(os.fsdecode(arguments[0])).stem not in _PROGRAMS:
            raise ForbiddenError(f"a reader may not start {arguments[0]}")
        if event == "open" and _writes(arguments) and not _is_inside(arguments[0], own_folder):
            raise ForbiddenError(f"a reader may not write {arguments[0]}")

    sys.addaudithook(refuse)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(int(flags or 0) & _WRITING)


def _is_inside(path: object, folder: Path) -> bool:
    """True if a path is in the folder; open files and null devices count as inside."""
    if isinstance(path, int) or path == os.devnull:
        return True
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return Path(os.path.realpath(os.fsdecode(path))).is_relative_to(folder)
