from pathlib import Path

import pytest

from benchmarks.independent.compare import compared, words
from benchmarks.independent.writers import Text, write_html, write_mail


def test_words_are_joined_at_line_ends_and_counted() -> None:
    assert words("The hy-\nphen, the ﬁre 12") == {"the": 2, "hyphen": 1, "fire": 1, "12": 1}


@pytest.mark.parametrize(("suffix", "write"), [("html", write_html), ("eml", write_mail)])
def test_what_an_independent_reader_finds_is_read(tmp_path: Path, suffix: str, write: object) -> None:
    pytest.importorskip("bs4")
    assert callable(write)
    paths = [tmp_path / f"{number}.{suffix}" for number in range(3)]
    for number, path in enumerate(paths):
        write(path, Text(number))
    tally = compared(suffix, paths)
    assert (tally.files, tally.refused) == (3, 0)
    assert tally.found == tally.expected > 0
