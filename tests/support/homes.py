"""Data directories that are made once for all tests, and copied by those that need one."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is made by whichever process comes first; the others of the same run wait for it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # a worker's own folder lies in that of the run
    with FileLock(base / f"{name}.lock"):
        if not (base / name).exists():
            unfinished = base / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(base / name)
    return base / name


def copied(home: Path, target: Path) -> Path:
    """Copy a data directory. The files of models are shared with it: whoever changes one needs a model of its own."""
    shutil.copytree(home, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("models"))
    shutil.copytree(home / "models", target / "models", copy_function=os.link)
    return target
