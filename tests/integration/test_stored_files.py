"""A data directory that an earlier version has left: it opens, finds the same, and nothing is rebuilt.

tests/data/make_stored.py says how it came about. Only what users see is called here, the class Library and the command, and
which readers have changed since.
"""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from searchkit import Library
from searchkit.display import ProgressLines
from searchkit.ingest.extract.readers import version
from searchkit.reports import Progress, listen_to_upgrades
from tests.data.make_stored import CODED, PLAIN, QUERIES, ROOT, STORED, counts, found, run

EXPECTED: dict[str, Any] = json.loads((STORED / "expected.json").read_text("utf-8"))
COLLECTIONS = (PLAIN, CODED)
AT_THE_TIME = 3  # the version of all readers
MODELS = ("tiny", "tiny-int8", "tiny-stored")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The stored data directory, to change as one likes. Its collections' folder is nowhere."""
    return Path(shutil.copytree(STORED / "home", tmp_path / "home"))


@pytest.fixture
def docs(home: Path, tmp_path: Path) -> Path:
    """The files that the collections hold, and the collections as if these had been there all the time."""
    folder = Path(shutil.copytree(STORED / "docs", tmp_path / "docs"))
    for collection in COLLECTIONS:
        with closing(sqlite3.connect(home / "collections" / collection / "catalog.db")) as catalog, catalog:
            changed = catalog.execute("UPDATE roots SET path = ? WHERE path = ?", (str(folder), str(ROOT)))
            assert changed.rowcount == 1
    return folder


def command(home: Path, *arguments: str | Path) -> list[dict[str, Any]]:
    """Run the command with --json, and parse its output."""
    return [json.loads(line) for line in run(home, "-m", "searchkit", *arguments, "--json").splitlines()]


def generations(home: Path) -> dict[str, str]:
    """The files of the indexes, by what is in them."""
    files = [path for path in sorted(home.glob("collections/*/index/**/*")) if path.is_file()]
    return {path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def embedded(home: Path, collection: str) -> list[tuple[object, ...]]:
    """The vectors, each with the text and the model that it is of."""
    with closing(sqlite3.connect(home / "collections" / collection / "catalog.db")) as catalog:
        query = (
            "SELECT content_hash, m.fingerprint, vector FROM vectors v JOIN models m ON m.id = v.model ORDER BY 1, 2"
        )
        return catalog.execute(query).fetchall()


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_searches_find_what_they_found(home: Path, collection: str) -> None:
    before = generations(home)
    assert before
    expected = EXPECTED[collection]["hits"]
    for query, by_mode in found(home, collection, ROOT).items():
        for mode, hits in by_mode.items():
            wanted = expected[query][mode]
            assert [(hit["path"], hit["line"], hit["title"]) for hit in hits] == [
                (hit["path"], hit["line"], hit["title"]) for hit in wanted
            ], (query, mode)
            assert [hit["score"] for hit in hits] == pytest.approx([hit["score"] for hit in wanted], abs=5e-3), query
    assert generations(home) == before


def test_the_command_finds_it_as_well(home: Path) -> None:
    hits = command(home, "search", "error E07 when the water is cold", "-c", CODED, "-k", "4")
    wanted = EXPECTED[CODED]["hits"]["error E07 when the water is cold"]["hybrid"]
    assert [(hit["path"], hit["line"], hit["heading"]) for hit in hits] == [
        (str(ROOT / hit["path"]), hit["line"], hit["title"]) for hit in wanted
    ]
    assert [hit["score"] for hit in hits] == pytest.approx([hit["score"] for hit in wanted], abs=5e-3)


def test_the_status_is_the_same_and_nothing_is_damaged(home: Path) -> None:
    # Vectors count only if they are of the model as it is: these say that its fingerprint is what it was.
    assert {name: counts(home, name) for name in COLLECTIONS} == {
        name: EXPECTED[name]["status"] for name in COLLECTIONS
    }
    assert [(row["collection"], row["ok"], row["damage"]) for row in command(home, "verify")] == [
        (CODED, True, []),
        (PLAIN, True, []),
    ]
    (skipped,) = command(home, "status", "-c", PLAIN)[0]["problems"]
    assert skipped["path"] == str(ROOT / "cut.pdf")
    assert skipped["reason"] == "damaged PDF: its end is missing"


def test_the_models_open_and_are_sound(home: Path) -> None:
    rows = {row["name"]: row for row in command(home, "models", "list")}
    assert rows.keys() >= set(MODELS)
    assert [name for name, row in rows.items() if row["default"]] == ["tiny-stored"]
    assert {rows[name]["quantization"] for name in MODELS} == {"fp32", "int8"}
    for name in MODELS:
        (row,) = command(home, "models", "verify", name)
        assert (row["ok"], row["problems"]) == (True, [])


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_run_over_the_same_files_embeds_nothing_and_writes_no_index(home: Path, docs: Path, collection: str) -> None:
    command(home, "status", "-c", collection)  # upgrades it
    before, vectors = generations(home), embedded(home, collection)
    with closing(sqlite3.connect(home / "collections" / collection / "catalog.db")) as catalog:
        formats = [row[0] for row in catalog.execute("SELECT format FROM documents WHERE status = 'indexed'")]
    read_again = sum(version(format_name) != AT_THE_TIME for format_name in formats)
    files = len([path for path in docs.rglob("*") if path.is_file()])
    changes = ("added", "moved", "deleted", "embedded")
    for changed in (read_again, 0):
        (report,) = command(home, "index", docs, "-c", collection)
        assert {name: report[name] for name in changes} == dict.fromkeys(changes, 0)
        assert (report["changed"], report["unchanged"]) == (changed, files - changed)
        assert report["model"] == "tiny-stored"
    kept = {name: hashed for name, hashed in before.items() if f"/{PLAIN}/" not in name or collection != PLAIN}
    assert generations(home) == kept, "of vectors that are compared one by one nothing is kept any more"
    assert embedded(home, collection) == vectors
    (verified,) = command(home, "verify", "-c", collection)
    assert verified["ok"], verified


def test_opened_hits_and_folders_are_still_known(home: Path) -> None:
    opened = command(home, "train", "opened")
    assert [(one["query"], one["collection"]) for one in opened] == [(query, PLAIN) for query in QUERIES[:3]]
    assert opened[0]["path"] == str(ROOT / "boats.md")
    with Library(home) as library:
        assert library.collections() == [CODED, PLAIN]
        assert library.collection(PLAIN).roots() == (ROOT,)


def test_upgrading_says_how_far_it_is_and_ends_with_all(home: Path) -> None:
    seen: list[Progress] = []
    listen_to_upgrades(seen.append)
    try:
        with Library(home) as library:
            for collection in COLLECTIONS:
                library.collection(collection).status()
                documents = [each for each in seen if each.unit == "documents"]
                files = len(documents)
                assert files > 1
                assert [(each.done, each.total) for each in documents] == [(n, files) for n in range(1, files + 1)]
                assert [(each.done, each.unit) for each in seen[files:]] == [(seen[-1].total, "vectors")]
                assert all(f"'{collection}'" in each.stage for each in seen)
                library.collection(collection).status()  # which upgrades nothing any more
                seen.clear()
    finally:
        listen_to_upgrades(lambda _: None)


def test_a_short_upgrade_is_silent_and_a_long_one_speaks_every_ten_seconds() -> None:
    said: list[str] = []
    now = 0.0
    lines = ProgressLines(said.append, lambda: now)
    for now in (0.0, 4.9, 5.5, 8.0, 15.5, 16.0):
        lines(Progress("Upgrading collection 'docs'", int(now * 1000), 20_000, "documents"))
    assert said == [
        "Upgrading collection 'docs': 5,500 of 20,000 documents",
        "Upgrading collection 'docs': 15,500 of 20,000 documents",
    ]
