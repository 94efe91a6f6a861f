import json
from collections.abc import Mapping

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.data.notebook import extract_notebook
from searchkit.types import Block, BlockKind, ExtractedDocument


def notebook(*cells: dict[str, object], **metadata: object) -> ExtractedDocument:
    return extract_notebook(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4}).encode())


def code(source: str, *outputs: Mapping[str, object]) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": outputs}


def markdown(*lines: str) -> dict[str, object]:
    return {"cell_type": "markdown", "source": list(lines)}


def test_headings_of_notes_head_the_cells_that_follow() -> None:
    document = notebook(markdown("# Heating\n", "\n", "## Data"), code("x = 1\n"), markdown("## Model\ntext"))
    assert document.title == "Heating"
    assert [(b.text, b.headings, b.place) for b in document.blocks] == [
        ("Heating", ("Heating",), "cell 1"),
        ("Data", ("Heating", "Data"), "cell 1"),
        ("x = 1", ("Heating", "Data"), "cell 2"),
        ("Model", ("Heating", "Model"), "cell 3"),
        ("text", ("Heating", "Model"), "cell 3"),
    ]


def texts(*outputs: Mapping[str, object]) -> list[str]:
    return [block.text for block in notebook(code("run()", *outputs)).blocks][1:]


def test_what_code_printed_is_text_and_pictures_are_not() -> None:
    picture = {"data": {"image/png": "iVBORw0KGgo=", "text/plain": ["<Figure size 640x480 with 1 Axes>"]}}
    value = {"data": {"text/html": "<b>3</b>", "text/plain": ["3 rows"]}}
    printed = {"output_type": "stream", "text": ["\u001b[31mred\u001b[0m\n", "line\n"]}
    error = {"ename": "ValueError", "evalue": "too cold", "traceback": ["...", "long"]}
    assert texts(picture, value, printed, error) == ["3 rows", "red\nline", "ValueError: too cold"]


def test_long_output_is_bounded() -> None:
    (text,) = texts({"text": "epoch\n" * 10_000})
    assert len(text) < 2100
    assert text.endswith(" …")


def test_raw_cells_and_the_old_format_are_read() -> None:
    assert [b.text for b in notebook({"cell_type": "raw", "source": "raw words"}).blocks] == ["raw words"]
    old = {
        "worksheets": [
            {"cells": [{"cell_type": "heading", "level": 2, "source": "Old"}, {"cell_type": "code", "input": "x"}]}
        ]
    }
    assert list(extract_notebook(json.dumps(old).encode()).blocks) == [
        Block("Old", BlockKind.HEADING, ("Old",), place="cell 1"),
        Block("x", BlockKind.CODE, ("Old",), place="cell 2"),
    ]


def test_title_and_authors_may_be_metadata() -> None:
    document = notebook(code("x"), title="Boiler", authors=[{"name": "Ada"}, {"name": "Bo"}])
    assert (document.title, document.metadata) == ("Boiler", {"author": "Ada, Bo"})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"cells": 3}', b"[" * 100_000])
def test_what_is_no_notebook_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="notebook"):
        extract_notebook(content)


def test_odd_cells_cost_nothing_else() -> None:
    odd: dict[str, object] = {"cell_type": "code", "source": None, "outputs": [3, {"data": 4}, {"text": 5}]}
    assert [b.text for b in notebook(odd, code("x")).blocks] == ["x"]


def test_output_that_is_a_page_alone_is_read_as_one() -> None:
    cell = {
        "cell_type": "code",
        "source": "",
        "outputs": [{"data": {"text/html": ["<table><tr><td>a", "<td>b</table>"]}}],
    }
    assert [block.text for block in extract_notebook(json.dumps({"cells": [cell]}).encode()).blocks] == ["a | b"]
