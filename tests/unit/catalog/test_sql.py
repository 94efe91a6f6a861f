"""SQL stands in the catalog's modules alone; the contract in pyproject.toml says the same of SQLite itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.files import ROOT

_PACKAGES = (ROOT / "searchkit", ROOT / "indexes" / "searchkit_indexes", ROOT / "tui" / "searchkit_tui")
_CATALOG = ROOT / "searchkit" / "catalog"
_SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s.*INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s.*(TABLE|VIEW|INDEX|TRIGGER)|PRAGMA\s+\w)",
    re.DOTALL,
)


def sql_in(files: Iterator[Path]) -> list[str]:
    """Places of texts that are SQL; what is put together of several is seen in its first part."""
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQL.search(node.value)
    ]


def test_sql_stands_in_the_catalog_alone() -> None:
    files = [path for package in _PACKAGES for path in package.rglob("*.py")]
    assert len(sql_in(path for path in files if path.is_relative_to(_CATALOG))) > 50, "SQL is not recognised any more"
    assert sql_in(path for path in files if not path.is_relative_to(_CATALOG)) == []
