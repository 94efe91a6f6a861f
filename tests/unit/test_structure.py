"""The size of the tree and of its pieces. A failing test lists the offenders, largest first: its message is the work list."""

import ast
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

from tests.support.files import ROOT

PACKAGES = (ROOT / "searchkit", ROOT / "indexes" / "searchkit_indexes", ROOT / "tui" / "searchkit_tui")

MOST_ENTRIES = 26  # modules and packages at the top of searchkit/
MODULES_PER_1000_LINES = 7.2  # in all three packages, __init__.py included; blank lines counted
MEDIAN_LINES = (90, 150)
MOST_LINES = 50  # of a function, its docstring included
MOST_PARAMETERS = 8  # of a function, self and cls not counted; beyond them an options dataclass reads better

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_the_packages_have_few_modules() -> None:
    modules = python_files()
    assert modules, "No module was found."
    slivers = sorted(modules, key=length)
    most = int(sum(map(length, modules)) * MODULES_PER_1000_LINES / 1000)
    assert len(modules) <= most, listed(
        f"{len(modules)} modules, {len(modules) - most} too many for their lines. The smallest:",
        (f"{relative(path)}: {length(path)} lines" for path in slivers[:80] if path.name != "__init__.py"),
    )


def test_the_median_module_is_neither_a_sliver_nor_a_wall() -> None:
    least, most = MEDIAN_LINES
    middle = median(length(path) for path in python_files())
    assert least <= middle <= most, f"The median module has {middle:g} lines; {least} to {most} are wanted."


def test_the_top_of_the_engine_fits_one_screen() -> None:
    top = PACKAGES[0]
    entries = sorted(
        [path.name for path in top.glob("*.py")] + [path.parent.name for path in top.glob("*/__init__.py")]
    )
    assert entries, "Nothing was found."
    assert len(entries) <= MOST_ENTRIES, listed(f"{len(entries)} entries at the top of searchkit/:", entries)


def test_no_function_is_long() -> None:
    long = [
        (count, f"{place}: {count} lines") for place, function in functions() if (count := lines(function)) > MOST_LINES
    ]
    assert not long, listed(f"Functions above {MOST_LINES} lines:", (text for _, text in sorted(long, reverse=True)))


def test_no_function_has_many_parameters() -> None:
    many = [
        (count, f"{place}: {count} parameters")
        for place, function in functions()
        if (count := parameters(function)) > MOST_PARAMETERS
    ]
    heading = f"Functions with more than {MOST_PARAMETERS} parameters:"
    assert not many, listed(heading, (text for _, text in sorted(many, reverse=True)))


def test_every_test_is_run_by_exactly_one_command() -> None:
    """Whichever of the markers it has that choose a command."""
    expressions = set(re.findall(r'-m "(.*)"', (ROOT / "Makefile").read_text("utf-8")))
    assert len(expressions) == 3
    for combination in itertools.product([False, True], repeat=3):
        marked = dict(zip(("slow", "train", "reference"), combination, strict=True))
        assert [eval(each, dict(marked)) for each in expressions].count(True) == 1, marked


def python_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in package.rglob("*.py"))


def functions() -> Iterator[tuple[str, Function]]:
    """Every function, nested ones and methods included, with where it is: `path:line name`."""
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield f"{relative(path)}:{node.lineno} {node.name}", node


def lines(function: Function) -> int:
    """From `def` to its last line; decorators are not counted."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: Function) -> int:
    asked = function.args
    named = [argument.arg for argument in (*asked.posonlyargs, *asked.args, *asked.kwonlyargs)]
    return len([name for name in named if name not in {"self", "cls"}]) + bool(asked.vararg) + bool(asked.kwarg)


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def listed(heading: str, offenders: Iterator[str] | list[str]) -> str:
    return "\n  ".join([heading, *offenders])


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = {name_of(path): path for path in python_files()}
    graph = {name: imports_of(path) & files.keys() for name, path in files.items()}
    assert any(graph.values())
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def name_of(path: Path) -> str:
    package = next(package for package in PACKAGES if path.is_relative_to(package))
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports_of(path: Path) -> set[str]:
    """The modules that are imported while this one is, and the names in them that may be modules."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    return found - {name_of(path)}


LARGEST_FILE = 2_000_000  # bytes
TOP = set(
    ".ci .editorconfig .github .gitignore .pre-commit-config.yaml .python-version CHANGELOG.md CONTRIBUTING.md LICENSE Makefile"
    " README.md SECURITY.md benchmarks constraints.txt docs examples indexes pyproject.toml sample_docs searchkit tests tui".split()
)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_git_tracks_no_large_file_and_no_data_directory() -> None:
    """A data directory that a trial left in the checkout was committed once, with a model's weights in it."""
    listed_files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    tracked = [Path(os.fsdecode(name)) for name in listed_files.split(b"\0") if name]
    assert {path.parts[0] for path in tracked} <= TOP
    large = [
        path.as_posix() for path in tracked if (ROOT / path).is_file() and (ROOT / path).stat().st_size > LARGEST_FILE
    ]
    assert not large, large


@pytest.mark.slow
def test_tests_have_the_same_names_whenever_they_are_collected() -> None:
    """Workers that started in different seconds once refused to run: a name held the bytes of an archive just made."""
    first, second = (names_collected(seed) for seed in "12")
    assert first
    assert first == second


def names_collected(seed: str) -> list[str]:
    """The names of all tests, found in a process with this seed of hashes; takes seconds, so that two runs differ."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-o",
        "addopts=",
        "-p",
        "no:cacheprovider",
        "--collect-only",
        "-q",
        "tests",
    ]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTEST_ADDOPTS": ""}
    collected = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return [line for line in collected.stdout.splitlines() if "::" in line]
