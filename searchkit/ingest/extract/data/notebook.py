"""Reads Jupyter notebooks: text and code cell by cell, with printed output, without pictures."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.markup.html import extract_html
from searchkit.ingest.extract.markup.markdown import markdown_blocks
from searchkit.ingest.extract.readers import leave_out
from searchkit.ingest.extract.text import decode_text, paragraphs
from searchkit.types import Block, BlockKind, ExtractedDocument

_MOST_OUTPUT = 2000  # characters of one cell's output; training logs and tables can fill pages
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TEXTS = ("text/plain", "text/markdown", "text/latex")


def extract_notebook(content: bytes) -> ExtractedDocument:
    """Blocks with the number of their cell. The title is the metadata's, else the first heading of level one."""
    notebook = _parsed(content)
    about = notebook.get("metadata")
    about = about if isinstance(about, dict) else {}
    cells = notebook.get("cells")
    if cells is None:  # format 3 puts them on sheets
        sheets = notebook.get("worksheets")
        cells = (
            [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells", [])]
            if isinstance(sheets, list)
            else None
        )
    if not isinstance(cells, list):
        raise UnreadableFileError("damaged notebook: it has no cells")
    path: list[tuple[int, str]] = []
    blocks = tuple(block for number, cell in enumerate(cells, 1) for block in _cell(cell, number, path))
    title = about.get("title")
    first = next((b.text for b in blocks if b.kind is BlockKind.HEADING and len(b.headings) == 1), "")
    return ExtractedDocument(title if isinstance(title, str) else first, blocks, _metadata(about))


def _parsed(content: bytes) -> dict[str, object]:
    try:
        notebook = json.loads(decode_text(content))
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(f"damaged notebook: {error}", remedy="Save it again in Jupyter.") from error
    if not isinstance(notebook, dict):
        raise UnreadableFileError("not a notebook: its content is something else")
    return notebook


def _metadata(about: Mapping[str, object]) -> dict[str, str]:
    authors = about.get("authors")
    named = (
        [item.get("name", "") if isinstance(item, dict) else item for item in authors]
        if isinstance(authors, list)
        else []
    )
    author = ", ".join(name for name in named if isinstance(name, str) and name)
    return {"author": author} if author else {}


def _cell(cell: object, number: int, path: list[tuple[int, str]]) -> Iterator[Block]:
    if not isinstance(cell, dict):
        return
    kind, source = cell.get("cell_type"), _text(cell.get("source", cell.get("input")))
    place = f"cell {number}"
    if kind == "markdown":
        found = markdown_blocks(source, path)
    elif kind == "heading":  # of format 3
        level = cell.get("level")
        found = markdown_blocks(f"{'#' * (level if isinstance(level, int) else 1)} {source}", path)
    elif kind == "code":
        headings = tuple(name for _, name in path if name)
        code = [Block(source.strip("\n").rstrip(), BlockKind.CODE, headings)] if source.strip() else []
        found = code + [Block(text, BlockKind.CODE, headings) for text in _outputs(cell.get("outputs"))]
    else:
        found = [replace(block, headings=tuple(name for _, name in path if name)) for block in paragraphs(source)]
    yield from (replace(block, line=None, line_end=None, place=place) for block in found)


def _outputs(outputs: object) -> Iterator[str]:
    """The printed output of a cell, as far as it is text; a long one is cut."""
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        text = _ANSI.sub("", _output(output)).strip("\n").rstrip()
        if text:
            leave_out("long output of cells", int(len(text) > _MOST_OUTPUT))
            yield text if len(text) <= _MOST_OUTPUT else text[:_MOST_OUTPUT].rstrip() + " …"


def _output(output: Mapping[str, object]) -> str:
    if "traceback" in output:
        return f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
    if "text" in output:
        return _text(output["text"])
    data = output.get("data")
    found = (_text(data[kind]) for kind in _TEXTS if kind in data) if isinstance(data, dict) else iter(())
    text = next(found, "")
    if not text and isinstance(data, dict) and (page := _text(data.get("text/html"))):
        text = "\n".join(block.text for block in extract_html(page.encode("utf-8", "replace")).blocks)
    return "" if re.fullmatch(r"<[\w.]+[^\n>]*>", text.strip()) else text  # a picture's description


def _text(value: object) -> str:
    """Join a notebook's text, which is a string or a list of lines."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
