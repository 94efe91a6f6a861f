"""How this copy of searchkit was installed, the commands that add an extra to it or upgrade it, and what came along.

Read from what installers leave: direct_url.json (PEP 610), and the files of pipx and uv in the environment.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "searchkit-local"  # on the package index; the command and the package to import are `searchkit`
_COMMAND = "searchkit"
_PACKAGE = Path(__file__).parents[1]


class _Installer(StrEnum):
    """The program that manages the environment."""

    PIPX = "pipx"
    UV_TOOL = "uv tool"
    UV = "uv pip"
    PIP = "pip"


@dataclass(frozen=True, slots=True)
class Installation:
    """A copy of searchkit in the environment `prefix`.

    `source`: the URL that it was installed from, "" for the package index. `clone`: the folder that it runs from, None
    if it was copied. `extras`: those that a tool's environment would lose if they were not named again.
    """

    prefix: Path
    installer: _Installer
    source: str = ""
    clone: Path | None = None
    extras: tuple[str, ...] = ()

    @classmethod
    def here(cls) -> "Installation":
        """The copy that runs."""
        return _here()

    def adding(self, extras: str) -> str:
        """Word the command that adds extras, named with commas between them."""
        if self.clone is not None:
            requirement = f"-e {shlex.quote(f'{_shown(self.clone)}[{extras}]')}"
            return f"{self._install()} {requirement}"
        named = f"{DISTRIBUTION}[{','.join((*self.extras, extras))}]"
        if self.installer is _Installer.PIPX:
            return f"pipx inject {shlex.quote(self.prefix.name)} '{named}'"
        if self.installer is _Installer.UV_TOOL and self.source:  # which makes the environment again
            return f"{self._install()} {shlex.quote(f'{named} @ {self.source}')}"
        return f"{self._install()} '{named}'"

    def upgrading(self) -> str:
        """Word the command that fetches the newest version."""
        if self.clone is not None:
            return "git pull" if _shown(self.clone) == "." else f"git -C {shlex.quote(_shown(self.clone))} pull"
        if self.installer is _Installer.PIPX:
            return f"pipx upgrade {shlex.quote(self.prefix.name)}"
        if self.installer is _Installer.UV_TOOL:
            return f"uv tool upgrade {DISTRIBUTION}"
        return f"{self._install()} -U {shlex.quote(_without_revision(self.source) or DISTRIBUTION)}"

    def _install(self) -> str:
        if self.installer in (_Installer.UV_TOOL, _Installer.PIPX):
            return f"{self.installer} install"
        if self.installer is _Installer.UV:
            return f"uv pip install --python {shlex.quote(_shown(self.prefix))}"
        if os.environ.get("VIRTUAL_ENV") == str(self.prefix):
            return "pip install"
        python = self.prefix / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        return f"{shlex.quote(_shown(python))} -m pip install"


def how_installed(prefix: Path, direct_url: str | None, *, has_pip: bool) -> Installation:
    """Read how the copy in the environment `prefix` was installed; `direct_url`: the text of its direct_url.json, if any.

    What cannot be read counts as installed from the package index.
    """
    source, clone = _source(direct_url)
    if (prefix / "pipx_metadata.json").is_file():
        return Installation(prefix, _Installer.PIPX, source, clone)
    receipt = prefix / "uv-receipt.toml"
    if receipt.is_file():
        return Installation(prefix, _Installer.UV_TOOL, source, clone, _extras(receipt))
    return Installation(prefix, _Installer.PIP if has_pip else _Installer.UV, source, clone)


def program() -> str:
    """Return the command as whoever started it can type it again: its path, if the shell would not find it by its name."""
    started = Path(sys.argv[0])
    if started.name not in (_COMMAND, f"{_COMMAND}.exe") or not started.exists():  # a program that uses the library
        return _COMMAND
    found = shutil.which(_COMMAND)
    return _COMMAND if found is not None and started.samefile(found) else _shown(started)


def sample_documents() -> Path:
    """Return the folder with the sample documents."""
    return _beside("sample_docs")


def documentation() -> Path:
    """Return the folder with the pages of the documentation."""
    return _beside("docs")


def _beside(name: str) -> Path:
    """Find what a wheel has inside the package, and a clone next to it."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def _here() -> Installation:
    from importlib import metadata, util

    has_pip = util.find_spec("pip") is not None
    try:
        direct_url = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:  # the sources, on the module path
        direct_url = json.dumps({"url": _PACKAGE.parent.as_uri(), "dir_info": {"editable": True}})
    return how_installed(Path(sys.prefix), direct_url, has_pip=has_pip)


def _source(direct_url: str | None) -> tuple[str, Path | None]:
    """Return where a copy comes from, and the clone that it runs from."""
    try:
        found = json.loads(direct_url or "{}")
    except ValueError:
        found = {}
    if not isinstance(found, dict) or not isinstance(url := found.get("url"), str):
        return "", None
    if _table(found, "dir_info").get("editable") is True:
        return url, Path(unquote(urlsplit(url).path))
    if "vcs_info" in found:
        revision = _table(found, "vcs_info").get("requested_revision")
        return f"{_table(found, 'vcs_info').get('vcs', 'git')}+{url}{f'@{revision}' if revision else ''}", None
    return url, None


def _table(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _extras(receipt: Path) -> tuple[str, ...]:
    import tomllib

    try:
        requirements = _table(tomllib.loads(receipt.read_text("utf-8")), "tool").get("requirements", [])
    except (OSError, ValueError):
        return ()
    ours = (each for each in requirements if isinstance(each, dict) and each.get("name") == DISTRIBUTION)
    return tuple(str(extra) for each in ours for extra in each.get("extras", ()))


def _without_revision(source: str) -> str:
    """Return the source without a fixed revision, which would never bring anything new."""
    head, at, _ = source.rpartition("@")
    return head if at and "+" in source and "/" in head.partition("://")[2] else source


def _shown(path: Path) -> str:
    """Return the path from the current folder on, if it is in there."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith(os.pardir) else str(path)
