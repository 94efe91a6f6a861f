"""The public face: the names that `from searchkit import …` gives."""

import subprocess
import sys

import searchkit

PUBLIC = """
Action CatalogError Collection CollectionBusyError CollectionNotFoundError CollectionSizes CollectionStatus ConfigError
DaemonLibrary Damage
Filters GroupBy Hit Home IndexReport Library ModelError ModelNotFoundError Note NoteKind NothingIndexedError PassageAt
Problem Progress RebuildReport Remedy RenameReport RunOptions SearchMode SearchRequest SearchResponse SearchkitError Storage Trial
TuneOptions TuneReport TypedFilter UsageError __version__ demands_of embed_and_switch filters_of measure_indexes
note_opened rebuild_collection rename_collection set_index switch_model verify_collection watch with_filters
"""


def test_the_public_names_are_these() -> None:
    assert sorted(searchkit.__all__) == PUBLIC.split()
    assert all(getattr(searchkit, name) is not None for name in searchkit.__all__)


def test_importing_searchkit_imports_nothing_else_of_it() -> None:
    code = "import sys, searchkit; print([name for name in sys.modules if name.startswith('searchkit')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['searchkit']"
