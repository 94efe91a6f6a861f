"""Completes a path as a shell does. It reads the disk, which may be slow: not for the event loop."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

MOST_CANDIDATES = 200
_BEFORE_RESTART = re.compile(r"^.*/(?=/|~(?:/|$))")


@dataclass(frozen=True, slots=True)
class Completion:
    """The text as far as it is certain, and the names that may continue it, in order; at most one if it is complete."""

    text: str
    candidates: tuple[str, ...]


def complete(text: str, suffix: str | tuple[str, ...] = "") -> Completion:
    """Complete the last part of a path by the names of folders, and of files with a suffix if one is given.

    Hidden names match only a part that begins with a dot; case counts only if the part has capitals.
    """
    if text == "~":
        return Completion("~/", ())
    shown_folder, part = os.path.split(text)
    folder = Path(shown_folder or ".").expanduser()
    matches = [name for name in _names(folder, suffix) if _fits(name.rstrip("/"), part)][:MOST_CANDIDATES]
    if not matches:
        return Completion(text, ())
    certain = os.path.commonprefix(matches)  # noqa: RUF071 (of names)
    if not certain.startswith(part):  # differing only in case: the user sees the candidates
        certain = certain if len(certain) >= len(part) else part
    return Completion(os.path.join(shown_folder, certain), tuple(matches))  # noqa: PTH118 (a Path drops the last /)


def restarted(text: str) -> str:
    """Keep the last path where one was typed behind another: the `/tmp` of `/home/me//tmp`, the `~` of `/home/me/~`."""
    return _BEFORE_RESTART.sub("", text)


def _names(folder: Path, suffix: str | tuple[str, ...]) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries]
    except OSError:
        return []
    names = [f"{name}/" for name, is_folder in found if is_folder]
    names += [name for name, is_folder in found if not is_folder and suffix and name.endswith(suffix)]
    return sorted(names, key=lambda name: name.rstrip("/").casefold())


def _fits(name: str, part: str) -> bool:
    if name.startswith(".") and not part.startswith("."):
        return False
    return name.startswith(part) if part != part.lower() else name.lower().startswith(part)
