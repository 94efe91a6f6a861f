"""The command that adds an extra is the one that works for this copy, however it was installed."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.display import remedy_command
from searchkit.display.installation import (
    DISTRIBUTION,
    Installation,
    documentation,
    how_installed,
    program,
    sample_documents,
)
from searchkit.errors import Action, Remedy
from tests.support.files import ROOT, write

WHEEL = {"url": "file:///tmp/searchkit_local-0.1.0-py3-none-any.whl", "archive_info": {}}
GIT = {"url": "https://git.invalid/searchkit", "vcs_info": {"vcs": "git", "commit_id": "a" * 40}}
PINNED = {**GIT, "vcs_info": {"vcs": "git", "commit_id": "a" * 40, "requested_revision": "v1"}}
RECEIPT = (
    '[tool]\nrequirements = [{ name = "searchkit-local", extras = ["ocr"], git = "https://git.invalid/searchkit" }]\n'
)


@pytest.fixture
def active(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An active virtual environment that has pip."""
    prefix = tmp_path / "venv"
    (prefix / "lib").mkdir(parents=True)
    monkeypatch.setenv("VIRTUAL_ENV", str(prefix))
    monkeypatch.chdir(tmp_path)
    return prefix


def commands(prefix: Path, direct_url: object = None, *, has_pip: bool = True) -> tuple[str, str]:
    """The commands that add the extra [serve] and that upgrade."""
    found = how_installed(prefix, json.dumps(direct_url) if direct_url else None, has_pip=has_pip)
    return found.adding("serve"), found.upgrading()


def test_pip_adds_it_to_what_is_installed_from_wherever(active: Path) -> None:
    for source, upgrade in (
        (None, "searchkit-local"),
        (WHEEL, WHEEL["url"]),
        (GIT, "git+https://git.invalid/searchkit"),
        (PINNED, "git+https://git.invalid/searchkit"),
    ):
        assert commands(active, source) == ("pip install 'searchkit-local[serve]'", f"pip install -U {upgrade}")


def test_an_environment_that_is_not_active_is_named_by_its_python(
    active: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV")
    assert commands(active)[0] == "venv/bin/python -m pip install 'searchkit-local[serve]'"
    monkeypatch.chdir(active / "lib")
    assert commands(active)[0] == f"{active}/bin/python -m pip install 'searchkit-local[serve]'"


def test_a_name_with_a_blank_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    assert commands(tmp_path / "my venv")[0].startswith(f"'{tmp_path}/my venv/bin/python' -m pip install")


def test_an_environment_without_pip_is_uvs(active: Path) -> None:
    assert commands(active, has_pip=False) == (
        "uv pip install --python venv 'searchkit-local[serve]'",
        "uv pip install --python venv -U searchkit-local",
    )


def test_a_clone_is_installed_again_with_the_extra(active: Path, tmp_path: Path) -> None:
    clone = {"url": (tmp_path / "a clone").as_uri(), "dir_info": {"editable": True}}
    assert commands(active, clone) == ("pip install -e 'a clone[serve]'", "git -C 'a clone' pull")
    here = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    assert commands(active, here) == ("pip install -e '.[serve]'", "git pull")


def test_a_folder_that_was_installed_from_is_only_named_to_upgrade(active: Path, tmp_path: Path) -> None:
    folder = {"url": (tmp_path / "clone").as_uri(), "dir_info": {}}
    assert commands(active, folder) == ("pip install 'searchkit-local[serve]'", f"pip install -U {folder['url']}")


def test_pipx_adds_it_to_its_environment(tmp_path: Path) -> None:
    for name in ("searchkit-local", "searchkit-local-next"):
        write(tmp_path / name / "pipx_metadata.json", "{}")
        assert commands(tmp_path / name, GIT) == (
            f"pipx inject {name} 'searchkit-local[serve]'",
            f"pipx upgrade {name}",
        )


def test_uv_installs_the_tool_again_from_where_it_came_with_the_extras_that_it_has(tmp_path: Path) -> None:
    write(tmp_path / "uv-receipt.toml", RECEIPT)
    for source, requirement in (
        (None, "'searchkit-local[ocr,serve]'"),
        (GIT, "'searchkit-local[ocr,serve] @ git+https://git.invalid/searchkit'"),
        (PINNED, "'searchkit-local[ocr,serve] @ git+https://git.invalid/searchkit@v1'"),
        (WHEEL, f"'searchkit-local[ocr,serve] @ {WHEEL['url']}'"),
    ):
        assert commands(tmp_path, source) == (f"uv tool install {requirement}", "uv tool upgrade searchkit-local")


def test_uvs_tool_from_a_clone_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tool" / "uv-receipt.toml", "[tool]\nrequirements = []\n")
    clone = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    assert commands(tmp_path / "tool", clone) == ("uv tool install -e '.[serve]'", "git pull")


@pytest.mark.parametrize("receipt", ["no toml", "[tool]\n", "[tool]\nrequirements = [3]\n", ""])
def test_a_receipt_that_cannot_be_read_costs_the_extras_alone(tmp_path: Path, receipt: str) -> None:
    write(tmp_path / "uv-receipt.toml", receipt)
    assert commands(tmp_path)[0] == "uv tool install 'searchkit-local[serve]'"


@pytest.mark.parametrize("direct_url", ["no json", "[]", "{}", '{"url": 3}'])
def test_a_source_that_cannot_be_read_is_the_package_index(active: Path, direct_url: str) -> None:
    assert how_installed(active, direct_url, has_pip=True).upgrading() == "pip install -U searchkit-local"


def test_several_extras_are_added_at_once(active: Path) -> None:
    assert how_installed(active, None, has_pip=True).adding("serve,llm") == "pip install 'searchkit-local[serve,llm]'"


def test_a_remedy_names_the_command_for_this_copy() -> None:
    here = Installation.here()
    assert remedy_command(Remedy(Action.INSTALL_EXTRA, extra="serve")) == here.adding("serve")
    assert remedy_command(Remedy(Action.UPGRADE)) == here.upgrading()


def test_sources_that_are_not_installed_are_a_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("importlib.metadata.distribution", _nothing_installed)
    assert Installation.here().adding("ocr").endswith(" -e '.[ocr]'")


def _nothing_installed(name: str) -> object:
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


def test_the_distribution_has_the_name_in_the_projects_file() -> None:
    import tomllib

    from searchkit import __version__

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["name"], project["version"]) == (DISTRIBUTION, __version__)
    assert project["scripts"] == {"searchkit": "searchkit.__main__:main"}


def test_the_command_is_named_by_its_path_where_its_name_would_not_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = write(tmp_path / ".venv" / "bin" / "searchkit", "#!/bin/sh\n")
    script.chmod(0o755)
    other = write(tmp_path / "other" / "searchkit", "#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(script), "demo"])
    for path, typed in (
        (tmp_path, ".venv/bin/searchkit"),
        (other.parent, ".venv/bin/searchkit"),
        (script.parent, "searchkit"),
    ):
        monkeypatch.setenv("PATH", str(path))
        assert program() == typed
    for started in ("-c", "/usr/bin/pytest", str(tmp_path / "gone" / "searchkit")):
        monkeypatch.setattr("sys.argv", [started])
        assert program() == "searchkit"


def test_what_comes_along_is_found_in_the_sources() -> None:
    assert sample_documents() == ROOT / "sample_docs"
    assert documentation() == ROOT / "docs"


def advised_extras() -> Iterator[tuple[str, str]]:
    """Where the sources advise an extra, and which."""
    for tree, file in sources():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            given = [keyword.value for keyword in call.keywords if keyword.arg == "extra"]
            named = given if "INSTALL_EXTRA" in ast.unparse(call) else []
            if isinstance(call.func, ast.Attribute) and call.func.attr == "adding":
                named = call.args
            yield from ((f"{file}:{call.lineno}", str(each.value)) for each in named if isinstance(each, ast.Constant))


def sources() -> Iterator[tuple[ast.Module, Path]]:
    """The parsed sources of the command and the UI, without the module that words how to install."""
    for folder in (ROOT / "searchkit", ROOT / "tui"):
        for path in sorted(folder.rglob("*.py")):
            if path.name != "installation.py":
                yield ast.parse(path.read_text("utf-8")), path.relative_to(ROOT)


def test_every_extra_that_is_advised_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    advised = list(advised_extras())
    assert {"train", "mcp", "serve", "llm", "code", "ocr", "archives", "office-legacy"} <= {
        extra for _, extra in advised
    }
    assert [place for place, extra in advised if extra not in project["optional-dependencies"]] == []


def test_no_message_names_one_way_to_install_searchkit() -> None:
    """Each is worded by `Installation.adding`: what works in a clone does not with pipx."""
    one_way = re.compile(
        rf"(pipx?|uv tool|uv pip) install[^\n]*({DISTRIBUTION}|searchkit)|(\.|{DISTRIBUTION}|searchkit)\[[a-z]"
    )
    found = [
        f"{file}:{node.lineno}: {node.value}"
        for tree, file in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and one_way.search(node.value)
    ]
    assert found == []
