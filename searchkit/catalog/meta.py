"""Small facts about a collection, such as its model and the time of its last index run."""

import json
from collections.abc import Sequence
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import update_settings_checksum
from searchkit.files import path_from_text, path_to_text
from searchkit.reports import Problem

MODEL = "model"  # the name of the model whose vectors the collection uses
COVERED = "covered_fingerprint"  # the model of which no vector was missing when the last index run ended
LAZY = "lazy"  # "yes": passages are embedded only as questions ask for them; "no": all; missing: by size
PROVISIONAL = "provisional"  # the version of the provisional vectors: a model's fingerprint, a blank, and a number
INDEX = "index"  # the index that was chosen, such as rabitq-1bit-768; "" or missing for the default for its size
RECALL_GOAL = "recall_goal"  # the recall that the chosen index has to reach; "" or missing for the default
CURRENT_INDEX = "vouched_index"  # the token of the index generation made of this catalog, see Manifest
_FOLDER_PROBLEMS = "folder_problems"
UNREAD = "files_to_read"  # files that were found and wait to be read; "" or 0 once all are
UPDATED = "updated_at"  # local time with offset, when the last index run ended


def set_meta(catalog: CatalogWriter, key: str, value: str) -> None:
    """Set a key."""
    catalog.change(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
    )
    update_settings_checksum(catalog)


def folder_problems(catalog: CatalogReader) -> list[Problem]:
    """Folders that could not be read when they were last visited."""
    stored = json.loads(catalog.meta(_FOLDER_PROBLEMS) or "[]")
    return [Problem(path_from_text(path), reason, *remedy) for path, reason, *remedy in stored]


def set_folder_problems(catalog: CatalogWriter, problems: Sequence[Problem], looked_at: Sequence[Path]) -> None:
    """Replace the records of folders at or below those visited."""
    others = [p for p in folder_problems(catalog) if not any(p.path.is_relative_to(root) for root in looked_at)]
    rows = [(path_to_text(problem.path), problem.reason, problem.remedy) for problem in [*others, *problems]]
    set_meta(catalog, _FOLDER_PROBLEMS, json.dumps(rows))
