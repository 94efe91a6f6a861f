"""Matches paths with patterns.

A path is matched from its root (`notes/a.md`) and from the root's own name (`docs/notes/a.md`); patterns that begin with
`/` or `~` mean absolute paths. `*` and `?` stay inside a folder's or file's name, `**` spans folders, `[a-z]` is one of
these letters, `[!a-z]` none of them. Case never matters.
"""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

_WILD = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_ANYWHERE = "(?:[^/]+/)*"


def plain(path: str) -> str:
    """A path as patterns see it."""
    return path.casefold() if path.isascii() else unicodedata.normalize("NFC", path).casefold()


def is_pattern(text: str) -> bool:
    """True if the text can be a pattern."""
    return bool(_steps(text))


class PathPatterns:
    """Path globs, one of which must match, and folders, one of which must contain the path.

    A glob without `/` matches a name at any depth; one without wildcards also everything below a folder of that name. A
    folder is named literally, `/` included, at any depth.
    """

    def __init__(self, paths: Iterable[str], folders: Iterable[str]) -> None:
        sources = [_of_path(path) for path in paths]
        self._paths = _compiled(sources)
        self._folders = _compiled([_of_folder(folder) for folder in folders])

    def fit(self, root: str, path: str) -> bool:
        """True if they match a path below a root, given as `plain` returns it."""
        below = f"{root.rsplit('/', 1)[-1]}/{path}"
        absolute = f"{root.rstrip('/')}/{path}"
        return _fits(self._paths, (path, below), absolute) and _fits(self._folders, (below,), absolute)


_Compiled = tuple[re.Pattern[str] | None, re.Pattern[str] | None]


def _fits(patterns: _Compiled | None, relative: Iterable[str], absolute: str) -> bool:
    """True if there are no patterns, or one of them matches."""
    if patterns is None:
        return True
    from_root, from_top = patterns
    if from_root and any(from_root.fullmatch(path) for path in relative):
        return True
    return bool(from_top and from_top.fullmatch(absolute))


def _compiled(sources: list[tuple[bool, str]]) -> _Compiled | None:
    """(for relative paths, for absolute ones), each None if there are none; None if there is neither."""
    if not sources:
        return None
    relative = [source for is_absolute, source in sources if not is_absolute]
    absolute = [source for is_absolute, source in sources if is_absolute]
    return (_one_of(relative), _one_of(absolute))


def _one_of(sources: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{source})" for source in sources), re.DOTALL) if sources else None


def _of_path(glob: str) -> tuple[bool, str]:
    """(True if it means absolute paths, the expression)."""
    is_absolute, steps = _is_absolute(glob), _steps(glob)
    is_name = len(steps) == 1 and not is_absolute and not glob.endswith("/")
    end = "/.*" if glob.endswith("/") else "" if _WILD.search(glob) else "(?:/.*)?"
    return is_absolute, ("/" if is_absolute else "") + _joined(["**", *steps] if is_name else steps) + end


def _of_folder(glob: str) -> tuple[bool, str]:
    if _is_absolute(glob):
        return True, f"/{_joined(_steps(glob))}/.*"
    return False, _joined(["**", *_steps(glob)]) + "/.*"


def _is_absolute(glob: str) -> bool:
    return _expanded(glob).startswith("/")


def _expanded(glob: str) -> str:
    if not glob.startswith("~"):
        return glob
    try:
        return Path(glob).expanduser().as_posix()
    except RuntimeError:  # ~nobody
        return glob


def _steps(glob: str) -> list[str]:
    """The names between slashes; several `**` in a row mean the same as one."""
    steps = [step for step in plain(_expanded(glob)).split("/") if step not in ("", ".")]
    return [step for step, before in zip(steps, ["", *steps], strict=False) if not step == before == "**"]


def _joined(steps: list[str]) -> str:
    """The expression for nested names.

    Text between two `**`, or in a name between two `*`, is searched for once, and its first match is final: the next wildcard
    spans anything that follows. So no pattern takes long.
    """
    first, *runs = _split(steps)
    if not runs:
        return "/".join(first)
    middle = "".join(f"(?>{_ANYWHERE}?{'/'.join(run)}/)" for run in runs[:-1] if run)
    last = _ANYWHERE + "/".join(runs[-1]) if runs[-1] else ".*"
    return "".join(f"{name}/" for name in first) + middle + last


def _split(steps: list[str]) -> list[list[str]]:
    """The expressions for names, in runs between `**`."""
    runs: list[list[str]] = [[]]
    for step in steps:
        if step == "**":
            runs.append([])
        else:
            runs[-1].append(_name(step))
    return runs


def _name(step: str) -> str:
    pieces = [""]
    for token in _TOKEN.findall(step):
        if token.startswith("*"):
            pieces.append("")
        else:
            pieces[-1] += _one_character(token)
    if len(pieces) == 1:
        return pieces[0]
    middle = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{middle}[^/]*{pieces[-1]}(?![^/])"


def _one_character(token: str) -> str:
    if token == "?":  # noqa: S105 (of a pattern)
        return "[^/]"
    if len(token) < 3 or token == "[!]":  # noqa: S105
        return re.escape(token)
    is_negated = token.startswith("[!")
    inside = token[2 if is_negated else 1 : -1]
    return f"(?![/])[{'^' if is_negated else ''}{_class(inside)}]"


def _class(inside: str) -> str:
    """Letters and ranges between brackets; a range that runs backwards is three letters."""
    parts = re.findall(r".-.|.", inside, re.DOTALL)
    ranges = [part if len(part) == 3 and part[0] <= part[2] else "" for part in parts]
    return "".join(
        f"{re.escape(part[0])}-{re.escape(part[2])}" if ranged else "".join(map(re.escape, part))
        for part, ranged in zip(parts, ranges, strict=True)
    )
