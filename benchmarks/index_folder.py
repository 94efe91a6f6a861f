"""Indexes real folders and changes them, and measures time, memory and disk space.

Usage: python -m benchmarks.index_folder [--model NAME] [FOLDER ...]      (default: sample_docs and the small model)

The folders are copied first, so nothing of them is changed. Prints a table; each row is one run of `searchkit index` as a
process of its own, measured from outside.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Run:
    """One `searchkit index`: its report, wall-clock seconds and peak resident memory of the process."""

    what: str
    report: dict[str, int | float]
    seconds: float
    peak_megabytes: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[REPOSITORY / "sample_docs"])
    parser.add_argument("--model", default="all-minilm-l6-v2")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        corpus = work / "corpus"
        for folder in options.folders:
            shutil.copytree(folder.resolve(), corpus / folder.name, symlinks=True)
        home = work / "home"
        link_models(home)
        runs = [measure(what, change, corpus, home, options.model) for what, change in changes(corpus)]
        print_table(
            options, runs, sum(path.stat().st_size for path in (home / "collections").rglob("*") if path.is_file())
        )


def changes(corpus: Path) -> list[tuple[str, Callable[[], None]]]:
    """The changes to the corpus before each run."""
    files = sorted(path for path in corpus.rglob("*") if path.is_file() and not path.is_symlink())
    tenth = [path for path in files if path.suffix in (".html", ".md", ".txt", ".rst")][::10]

    def nothing() -> None:
        pass

    def edit() -> None:
        for path in tenth:
            path.write_bytes(path.read_bytes() + b"\n<p>An appended remark about marmalade.</p>\n")

    def move() -> None:
        (corpus / "moved").mkdir()
        for number, path in enumerate(tenth):
            path.rename(corpus / "moved" / f"{number}-{path.name}")

    def delete() -> None:
        shutil.rmtree(corpus / "moved")

    return [
        ("new", nothing),
        ("unchanged", nothing),
        ("10 % edited", edit),
        ("10 % moved", move),
        ("10 % deleted", delete),
    ]


def measure(what: str, change: Callable[[], None], corpus: Path, home: Path, model: str) -> Run:
    """Apply the change, then index in a separate process."""
    change()
    command = [sys.executable, "-m", "searchkit.cli.main", "index", str(corpus), "--model", model, "--json"]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "SEARCHKIT_HOME": str(home)})
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if process.returncode:
        raise SystemExit(f"searchkit index failed ({process.returncode})")
    return Run(what, json.loads(output), seconds, peak_megabytes(usage))


def peak_megabytes(usage: resource.struct_rusage) -> float:
    """Linux counts in kilobytes, macOS in bytes."""
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def link_models(home: Path) -> None:
    """Use the models that the user has."""
    from searchkit.home import Home

    home.mkdir()
    installed = Home.default().models
    if installed.is_dir():
        (home / "models").symlink_to(installed)


def print_table(options: argparse.Namespace, runs: list[Run], catalog_bytes: int) -> None:
    """Markdown, as docs/benchmarks/reading.md has it."""
    print(
        f"{', '.join(str(folder) for folder in options.folders)}; {options.model}; {platform.machine()}, {os.cpu_count()} cores"
    )
    print(
        "| run | added | changed | moved | deleted | unchanged | passages | embedded | embedded/s | seconds | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for run in runs:
        report = run.report
        rate = f"{report['embedded'] / report['embed_seconds']:.1f}" if report["embedded"] else ""
        counts = [report[key] for key in ("added", "changed", "moved", "deleted", "unchanged", "chunks", "embedded")]
        cells = [run.what, *map(str, counts), rate, f"{run.seconds:.1f}", f"{run.peak_megabytes:.0f}"]
        print(f"| {' | '.join(cells)} |")
    print(f"On disk after the last run: {catalog_bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
