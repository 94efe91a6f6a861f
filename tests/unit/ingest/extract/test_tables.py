"""Tables of every format: an empty cell keeps its place, and the row of names heads every piece."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from searchkit.ingest.chunk import chunk_document
from searchkit.ingest.extract.data.table import bar_cells, column_names, joined_cells
from searchkit.ingest.extract.readers import extract
from searchkit.ingest.segments import estimate_tokens
from searchkit.types import Block, BlockKind, Chunk, ExtractedDocument
from tests.support.office_files import ooxml, zipped

_NAMES = ["Part", "Fits", "Minimum stock", "On hand", "Supplier"]
_ROWS = [[f"spindle K{i}", "Tarn 200", "", str(i % 7), "Quill"] for i in range(60)]
_NAMESPACE = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT_SPACES = " ".join(f'xmlns:{name}="{_NAMESPACE}{name}:1.0"' for name in ("office", "text", "table"))


def _bars(row: Sequence[str]) -> str:
    return "| " + " | ".join(row) + " |"


def _markdown(rows: Sequence[Sequence[str]]) -> bytes:
    head, *body = rows
    return "\n".join(["Before.", "", _bars(head), _bars(["---"] * len(head)), *map(_bars, body), "", "After."]).encode()


def _html(rows: Sequence[Sequence[str]], cell: str = "td") -> bytes:
    head, *body = rows
    lines = ["".join(f"<{cell}>{text}</{cell}>" for text in head)]
    lines += ["".join(f"<td>{text}" for text in row) for row in body]
    return f"<p>Before.<table>{''.join(f'<tr>{line}' for line in lines)}</table><p>After.".encode()


def _docx(rows: Sequence[Sequence[str]]) -> bytes:
    def p(text: str) -> str:
        return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"

    lines = "".join(f"<w:tr>{''.join(f'<w:tc>{p(text)}</w:tc>' for text in row)}</w:tr>" for row in rows)
    body = f'<w:document xmlns:w="http://x/w"><w:body>{p("Before.")}<w:tbl>{lines}</w:tbl>{p("After.")}</w:body></w:document>'
    return ooxml("word/document.xml", "wordprocessingml.document", {"word/document.xml": body})


def _pptx(rows: Sequence[Sequence[str]]) -> bytes:
    def cell(text: str) -> str:
        return f"<a:tc><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"

    spaces = 'xmlns:p="http://x/p" xmlns:a="http://x/a" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    lines = "".join(f"<a:tr>{''.join(map(cell, row))}</a:tr>" for row in rows)
    frame = f'<p:graphicFrame><a:graphic><a:tbl><a:tblPr firstRow="1"/>{lines}</a:tbl></a:graphic></p:graphicFrame>'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/slide"
    parts = {
        "ppt/presentation.xml": f'<p:presentation {spaces}><p:sldIdLst><p:sldId id="256" r:id="r1"/></p:sldIdLst></p:presentation>',
        "ppt/_rels/presentation.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{kind}" Target="slides/slide1.xml"/></Relationships>',
        "ppt/slides/slide1.xml": f"<p:sld {spaces}><p:cSld><p:spTree>{frame}</p:spTree></p:cSld></p:sld>",
    }
    return ooxml("ppt/presentation.xml", "presentationml.presentation", parts)


def _opendocument(kind: str, body: str) -> bytes:
    inner = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    content = f"<office:document-content {_TEXT_SPACES}>{inner}</office:document-content>"
    return zipped({"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": content})


def _odf_rows(rows: Sequence[Sequence[str]]) -> str:
    def line(row: Sequence[str]) -> str:
        cells = (f"<table:table-cell>{f'<text:p>{text}</text:p>' * bool(text)}</table:table-cell>" for text in row)
        return f"<table:table-row>{''.join(cells)}</table:table-row>"

    return "".join(map(line, rows))


def _odt(rows: Sequence[Sequence[str]]) -> bytes:
    table = f"<table:table>{_odf_rows(rows)}</table:table>"
    return _opendocument("text", f"<text:p>Before.</text:p>{table}<text:p>After.</text:p>")


def _ods(rows: Sequence[Sequence[str]]) -> bytes:
    return _opendocument("spreadsheet", f'<table:table table:name="Stock">{_odf_rows(rows)}</table:table>')


def _xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    def line(number: int, row: Sequence[str]) -> str:
        cells = (
            f'<c r="{letter}{number}" t="inlineStr"><is><t>{text}</t></is></c>' if text else ""
            for letter, text in zip("ABCDE", row, strict=True)
        )
        return f'<row r="{number}">{"".join(cells)}</row>'

    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
    parts = {
        "xl/workbook.xml": '<workbook xmlns:r="http://x/r"><sheets><sheet name="Stock" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{kind}" Target="sheet1.xml"/></Relationships>',
        "xl/sheet1.xml": f"<worksheet><sheetData>{''.join(line(i, row) for i, row in enumerate(rows, 1))}</sheetData></worksheet>",
    }
    return ooxml("xl/workbook.xml", "spreadsheetml.sheet", parts)


def _rtf(rows: Sequence[Sequence[str]]) -> bytes:
    lines = (rf"\trowd\cellx9\pard\intbl {''.join(f'{text}' + chr(92) + 'cell ' for text in row)}\row" for row in rows)
    return (r"{\rtf1 Before.\par" + "\n".join(lines) + r"\pard After.\par}").encode()


def _org(rows: Sequence[Sequence[str]]) -> bytes:
    head, *body = rows
    return "\n".join(["Before.", "", _bars(head), "|---+---|", *map(_bars, body), "", "After."]).encode()


def _grid(rows: Sequence[Sequence[str]]) -> bytes:
    border = "+" + "+".join("-" * 16 for _ in rows[0]) + "+"
    lines = ["|" + "|".join(f" {text:<15}" for text in row) + "|" for row in rows]
    body = [part for line in lines[1:] for part in (line, border)]
    return "\n".join(["Before.", "", border, lines[0], border.replace("-", "="), *body, "", "After."]).encode()


def _simple(rows: Sequence[Sequence[str]]) -> bytes:
    border = "  ".join("=" * 15 for _ in rows[0])
    lines = ["  ".join(f"{text or chr(92):<15}" for text in row) for row in rows]
    return "\n".join(["Before.", "", border, lines[0], border, *lines[1:], border, "", "After."]).encode()


def _csv_directive(rows: Sequence[Sequence[str]]) -> bytes:
    head, *body = rows
    lines = [f"   :header: {', '.join(head)}", "", *(f"   {', '.join(row)}" for row in body)]
    return "\n".join(["Before.", "", ".. csv-table:: Stock", *lines, "", "After."]).encode()


def _list_directive(rows: Sequence[Sequence[str]]) -> bytes:
    lines = [f"   {'* -' if not column else '  -'} {text}" for row in rows for column, text in enumerate(row)]
    return "\n".join(["Before.", "", ".. list-table::", "   :header-rows: 1", "", *lines, "", "After."]).encode()


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    return "\n".join(map(",".join, rows)).encode()


def _mail(rows: Sequence[Sequence[str]]) -> bytes:
    return b"From: a@b.example\nSubject: Stock\nContent-Type: text/html\n\n" + _html(rows)


def _epub(rows: Sequence[Sequence[str]]) -> bytes:
    container = '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'
    manifest = '<item id="c" href="c.html" media-type="application/xhtml+xml"/>'
    package = f'<package><manifest>{manifest}</manifest><spine><itemref idref="c"/></spine></package>'
    return zipped({"META-INF/container.xml": container, "b.opf": package, "c.html": b"<body>" + _html(rows)})


def _notebook(rows: Sequence[Sequence[str]]) -> bytes:
    return json.dumps({"cells": [{"cell_type": "markdown", "source": _markdown(rows).decode()}]}).encode()


_FORMATS: list[tuple[str, Callable[[Sequence[Sequence[str]]], bytes]]] = [
    ("markdown", _markdown), ("html", _html), ("docx", _docx), ("pptx", _pptx), ("odf", _odt), ("odf", _ods), ("xlsx", _xlsx),
    ("rtf", _rtf), ("org", _org), ("rst", _grid), ("rst", _simple), ("rst", _csv_directive), ("rst", _list_directive),
    ("table", _csv), ("mail", _mail), ("epub", _epub), ("notebook", _notebook),
]  # fmt: skip
every_format = pytest.mark.parametrize(("format_name", "written"), _FORMATS)


def _chunks(format_name: str, content: bytes) -> list[Chunk]:
    return list(chunk_document(extract(format_name, content), estimate_tokens, 512))


@every_format
def test_the_names_of_columns_head_every_piece_of_a_long_table(
    format_name: str, written: Callable[[Sequence[Sequence[str]]], bytes]
) -> None:
    chunks = _chunks(format_name, written([_NAMES, *_ROWS]))
    pieces = [chunk for chunk in chunks if "spindle" in chunk.text]
    assert len(pieces) > 3
    for piece in pieces:
        assert all(name in f"{piece.title}\n{piece.text}" for name in _NAMES)
    everything = "\n".join(chunk.text for chunk in chunks)
    assert all(row[0] in everything for row in _ROWS)


# Tables that are drawn in signs have hundreds of tokens.
@pytest.mark.parametrize(("format_name", "written"), [each for each in _FORMATS if each[1] not in (_grid, _simple)])
def test_a_table_that_fits_is_left_whole_and_what_surrounds_it_too(
    format_name: str, written: Callable[[Sequence[Sequence[str]]], bytes]
) -> None:
    (chunk,) = _chunks(format_name, written([_NAMES, *_ROWS[:2]]))
    assert all(f"{chunk.title}\n{chunk.text}".count(name) == 1 for name in _NAMES)


@pytest.mark.parametrize(
    ("format_name", "written"), [each for each in _FORMATS if each[0] not in ("rst", "markdown", "org", "notebook")]
)
def test_an_empty_cell_keeps_its_place(format_name: str, written: Callable[[Sequence[Sequence[str]]], bytes]) -> None:
    rows = [_NAMES, ["", "Tarn", "", "3", ""], ["nozzle", "", "", "", "Quill"]]
    text = "\n".join(block.text for block in extract(format_name, written(rows)).blocks)
    assert " | Tarn |  | 3" in text
    assert "nozzle |  |  |  | Quill" in text


def test_rows_that_a_document_calls_a_head_are_the_names_whatever_they_look_like() -> None:
    rows = [["1", "2"], ["a", "b"], ["3", "4"]]
    assert column_names(rows) == ""
    assert column_names(rows, 1) == "1 | 2"
    assert column_names(rows, 2) == "1 | 2 / a | b"
    assert column_names([["Part", "Part"], ["a", "b"]]) == ""
    assert column_names([["", "2023", "2024"], ["a", "1", "2"]]) == " | 2023 | 2024"
    assert column_names([["Part", "Fits"]]) == ""


def test_bars_inside_a_cell_divide_nothing() -> None:
    assert bar_cells(r"| a \| b | |  c  d |") == ["a | b", "", "c d"]
    assert joined_cells(["", "b", ""]) == " | b"


def test_a_long_row_of_names_has_more_room_than_other_headings() -> None:
    names = " | ".join(f"column{i}" for i in range(30))
    rows = [Block("1 | 2 | 3 | 4 | 5", BlockKind.TABLE, columns=names) for _ in range(99)]
    first = replace(rows[0], text=names)
    chunks = [*chunk_document(ExtractedDocument("", (first, *rows)), lambda text: len(text.split()), 512)]
    assert all(names in chunk.title for chunk in chunks)
    assert not any("column" in chunk.text for chunk in chunks)
