"""Reads HTML: the main content as blocks under their headings, without navigation, scripts and styles."""

import re
from collections.abc import Iterator

from lxml import etree, html

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import charset
from searchkit.types import Block, BlockKind, ExtractedDocument

_SKIPPED = frozenset(
    "script style noscript template svg math iframe object nav header footer aside button select textarea head".split()
)
_OF_THE_PAGE = frozenset(("header", "aside"))  # inside the main part they contain its title, its notes and footnotes
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_BLOCKS = frozenset(
    "address article blockquote body br caption center dd details div dl dt fieldset figcaption figure hr html li main ol p"
    " pre section summary table tbody td tfoot th thead tr ul".split()
)
_NO_CELLS = ("table", "pre", *sorted(_HEADINGS))  # a row that contains these is page layout
_ROW_CHARACTERS = 2000  # and so is a row with more text than this
_LITTLE = 0.1  # an element with less than this share of the page's text is not its main part
_PERMALINK = re.compile(r"[¶§#🔗]")
_MAIN = "//main | //*[@role='main'] | //article"


def extract_html(content: bytes) -> ExtractedDocument:
    """Read blocks of the main part (main, role=main or article, else the body). The title is its first h1, else <title>.

    Raises UnreadableFileError if the page is binary, or nested so deeply that the parser gives up.
    """
    if not (source := _in_utf8(content)).strip():
        return ExtractedDocument("", ())
    parser = html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True)
    try:
        page = html.document_fromstring(source, parser=parser)
    except etree.ParserError:  # nothing but comments
        return ExtractedDocument("", ())
    if any("Excessive depth" in error.message for error in parser.error_log):
        raise UnreadableFileError("a web page nested too deeply to be read whole")
    for line_break in page.iterfind(".//pre//br"):
        line_break.tail = "\n" + (line_break.tail or "")
    return _read(page)


def _read(page: html.HtmlElement) -> ExtractedDocument:
    walk, part = _Walk(), _main_part(page)
    blocks = tuple(walk.blocks(part))
    if part is not page:
        whole_walk = _Walk()
        whole = tuple(whole_walk.blocks(page))
        if _length(blocks) < _LITTLE * _length(whole):
            walk, blocks = whole_walk, whole
    named = page.xpath("string((//title[not(ancestor::svg)])[1])")
    return ExtractedDocument(walk.first_h1 or _squeezed(named), blocks)


def _length(blocks: tuple[Block, ...]) -> int:
    return sum(len(block.text) for block in blocks)


def _in_utf8(content: bytes) -> bytes:
    """The page in UTF-8, whatever its encoding was and whatever it declares."""
    if content.isascii() and b"\0" not in content and b"\x1b" not in content:
        return content
    return charset.decode(content, kind="web page").encode("utf-8", "replace")


def _main_part(page: html.HtmlElement) -> html.HtmlElement:
    """The element with the most text among the main candidates, else the page itself."""
    candidates = [part for part in page.xpath(_MAIN) if not any(up.tag in _SKIPPED for up in part.iterancestors())]
    if not candidates:
        return page
    best = max(candidates, key=lambda part: len(part.text_content()))
    # Several sibling articles are a list: choosing one would lose the others.
    if best.tag == "article" and any(part is not best and best not in part.iterancestors() for part in candidates):
        return page
    return best


class _Walk:
    """Walks the elements in order, and cuts the text at block boundaries; a row of a table is one block."""

    def __init__(self) -> None:
        self.first_h1 = ""
        self._row: html.HtmlElement | None = None
        self._path: list[tuple[int, str]] = []
        self._parts: list[str] = []
        self._line: int | None = None
        self._last_line: int | None = None

    def blocks(self, root: html.HtmlElement) -> Iterator[Block]:
        walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        for event, element in walk:
            if event in ("comment", "pi"):
                self._add(element.tail if element is not root else None)
            elif event == "start":
                if _is_skipped(element, root):
                    walk.skip_subtree()
                elif element.tag == "pre":
                    yield from self._cut()
                    self._add(element.text_content(), element)
                    yield from self._cut(BlockKind.CODE)
                    walk.skip_subtree()
                else:
                    yield from self._start(element)
            elif event == "end":
                yield from self._end(element, root)

    def _start(self, element: html.HtmlElement) -> Iterator[Block]:
        if self._row is not None:
            is_next_cell = element.tag in ("td", "th") and element.getprevious() is not None
            self._parts.append(" | " if is_next_cell else " " if element.tag in _BLOCKS else "")
        elif element.tag in _BLOCKS or element.tag in _HEADINGS:
            yield from self._cut()
            self._row = element if _is_row(element) else None
        if element.tag == "a" and _PERMALINK.fullmatch((element.text or "").strip()):
            return
        self._add(element.text, element)

    def _end(self, element: html.HtmlElement, root: html.HtmlElement) -> Iterator[Block]:
        if not _is_skipped(element, root):
            if self._row is not None:
                if element is self._row:
                    yield from self._cut(BlockKind.TABLE)
                    self._row = None
                elif element.tag in _BLOCKS:
                    self._parts.append(" ")
            elif element.tag in _HEADINGS:
                yield from self._cut(BlockKind.HEADING, int(element.tag[1]))
            elif element.tag in _BLOCKS and element.tag not in ("pre", "br"):
                yield from self._cut()
        if element is not root:
            self._add(element.tail)

    def _add(self, text: str | None, element: html.HtmlElement | None = None) -> None:
        if text:
            self._parts.append(text)
        if element is not None and element.sourceline:
            self._line = self._line or element.sourceline
            self._last_line = element.sourceline

    def _cut(self, kind: BlockKind = BlockKind.PARAGRAPH, level: int = 0) -> Iterator[Block]:
        raw = "".join(self._parts)
        text = raw.strip("\n").rstrip() if kind is BlockKind.CODE else _squeezed(raw)
        line, last = self._line, self._last_line
        self._parts, self._line, self._last_line = [], None, None
        if not text.strip(" |\n"):
            return
        if kind is BlockKind.HEADING:
            self._path = [(above, name) for above, name in self._path if above < level]
            self._path.append((level, text))
            self.first_h1 = self.first_h1 or (text if level == 1 else "")
        headings = tuple(name for _, name in self._path)
        if kind is BlockKind.CODE and line:
            line += len(raw) - len(raw.lstrip("\n"))
            last = line + text.count("\n")
        elif line:
            last = max(last or line, line + raw.rstrip().count("\n"))
        yield Block(text, kind, headings, line=line, line_end=last)


def _is_row(element: html.HtmlElement) -> bool:
    """True if a row belongs to a table of data, to be read across, and not to a page laid out as a table."""
    if element.tag != "tr" or next(element.iter(*_NO_CELLS), None) is not None:
        return False
    return len(element.text_content()) <= _ROW_CHARACTERS


def _is_skipped(element: html.HtmlElement, root: html.HtmlElement) -> bool:
    """Parts that are not content. Headers and asides inside the main part are; only the page's own are not."""
    if element is root:
        return False
    if element.get("hidden") is not None:
        return True
    if element.tag not in _SKIPPED:
        return False
    if element.tag in _OF_THE_PAGE:
        return not any(up.tag in ("article", "main") or up.get("role") == "main" for up in element.iterancestors())
    return True


def _squeezed(text: str) -> str:
    """One line of text without soft hyphens, which only mark where a word may break, and would split it."""
    return " ".join(text.replace("\u00ad", "").split())
