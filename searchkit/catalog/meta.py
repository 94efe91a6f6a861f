"""Small facts about a collection, such as its model and the time of its last index run."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import update_settings_checksum
from searchkit.files import path_from_text, path_to_text
from searchkit.reports import LeftOut, LeftOutCount, LeftOutRule, Problem

MODEL = "model"  # the name of the model whose vectors the collection uses
COVERED = "covered_fingerprint"  # the model of which no vector was missing when the last index run ended
VECTORS_CHECKED = (
    "vectors_checked"  # the state of the model's files in which its vectors were last compared with new ones
)
STORAGE = "storage"  # the form of stored vectors that was chosen, such as compact; missing for the default
LAZY = "lazy"  # "yes": passages are embedded only as questions ask for them; "no": all; missing: by size
PROVISIONAL = "provisional"  # the version of the provisional vectors: a model's fingerprint, a blank, and a number
_EMBEDDING = "embedding"  # of a run under way: passages a second, and the time of its last commit in seconds since 1970
INDEX = "index"  # the index that was chosen, such as rabitq-1bit-768; "" or missing for the default for its size
RECALL_GOAL = "recall_goal"  # the recall that the chosen index has to reach; "" or missing for the default
CURRENT_INDEX = "vouched_index"  # the token of the index generation made of this catalog, see Manifest
GUESS_INDEX = "guess_index"  # the token of the index of provisional vectors on disk that was made of this catalog
_FOLDER_PROBLEMS = "folder_problems"
_LEFT_OUT = "left_out"  # counts by rule of each root
UNREAD = "files_to_read"  # files that were found and wait to be read; "" or 0 once all are
_UNDER_WAY_SECONDS = 20  # since the last commit; there is one every few seconds
UPDATED = "updated_at"  # when the last index run ended, see `updated_at`


def set_meta(catalog: CatalogWriter, key: str, value: str) -> None:
    """Set a key."""
    catalog.change(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
    )
    update_settings_checksum(catalog)


def note_rate(catalog: CatalogWriter, passages_per_second: float) -> None:
    """Record, with each commit of an index run, how fast it embeds."""
    set_meta(catalog, _EMBEDDING, f"{passages_per_second:.2f} {int(time.time())}")


def embedding_rate(catalog: CatalogReader) -> float:
    """Passages a second of an index run that is under way, 0 if none embeds."""
    rate, _, at = (catalog.meta(_EMBEDDING) or "0 0").partition(" ")
    return float(rate) if time.time() - float(at) < _UNDER_WAY_SECONDS else 0.0


def updated_at(catalog: CatalogReader) -> str | None:
    """When the last index run ended, in ISO 8601 with an offset; None if none has."""
    moment = catalog.meta(UPDATED)
    return datetime.fromisoformat(moment).isoformat(timespec="seconds") if moment else None  # earlier ones have +0530


def folder_problems(catalog: CatalogReader) -> list[Problem]:
    """Folders that could not be read when they were last visited."""
    stored = json.loads(catalog.meta(_FOLDER_PROBLEMS) or "[]")
    return [Problem(path_from_text(path), reason, *remedy) for path, reason, *remedy in stored]


def set_folder_problems(catalog: CatalogWriter, problems: Sequence[Problem], looked_at: Sequence[Path]) -> None:
    """Replace the records of folders at or below those visited."""
    catalog.database.take_turns(_FOLDER_PROBLEMS)
    others = [p for p in folder_problems(catalog) if not any(p.path.is_relative_to(root) for root in looked_at)]
    rows = [(path_to_text(problem.path), problem.reason, problem.remedy) for problem in [*others, *problems]]
    set_meta(catalog, _FOLDER_PROBLEMS, json.dumps(rows))


def left_out(catalog: CatalogReader) -> tuple[LeftOutCount, ...]:
    """Count what rules leave out of all roots, as of their last visits; the most frequent rule first."""
    files: Counter[tuple[str, str, str]] = Counter()
    folders: Counter[tuple[str, str, str]] = Counter()
    for rows in json.loads(catalog.meta(_LEFT_OUT) or "{}").values():
        for rule, source, pattern, file_count, folder_count in rows:
            files[rule, source, pattern] += file_count
            folders[rule, source, pattern] += folder_count
    counts = [LeftOutCount(LeftOutRule(key[0]), key[1], key[2], files[key], folders[key]) for key in files]
    return tuple(sorted(counts, key=lambda each: (-each.files - each.folders, each.rule, each.pattern)))


def set_left_out(catalog: CatalogWriter, found: Mapping[str, Sequence[LeftOut]], roots: Sequence[str]) -> None:
    """Store what rules leave out of the roots visited, by path in catalog form; `roots`: all there are."""
    catalog.database.take_turns(_LEFT_OUT)
    stored = {root: rows for root, rows in json.loads(catalog.meta(_LEFT_OUT) or "{}").items() if root in roots}
    for root, entries in found.items():
        counts = Counter((each.rule, each.source, each.pattern, each.whole_folder) for each in entries)
        keys = dict.fromkeys(key[:3] for key in counts)
        stored[root] = [(*key, counts[*key, False], counts[*key, True]) for key in keys]
    text = json.dumps(stored)
    if text != (catalog.meta(_LEFT_OUT) or "{}"):
        set_meta(catalog, _LEFT_OUT, text)
