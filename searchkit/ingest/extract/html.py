"""HTML: the main content as blocks under their headings; navigation, scripts and styles left out."""

import re
from collections.abc import Iterator

from lxml import etree, html

from searchkit.errors import UnreadableFileError
from searchkit.types import Block, BlockKind, ExtractedDocument

_SKIPPED = frozenset(
    "script style noscript template svg math iframe object nav header footer aside form button head".split()
)
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_BLOCKS = frozenset(
    "address article blockquote body br caption center dd details div dl dt fieldset figcaption figure hr html li main ol p"
    " pre section summary table tbody tfoot thead tr ul".split()
)
_PERMALINK = re.compile(r"[¶§#🔗]")
_MAIN = "//main | //*[@role='main'] | //article"


def extract_html(content: bytes) -> ExtractedDocument:
    """Blocks of the main part (main, role=main or article, else the body). The title is its first h1, else <title>.

    Raises UnreadableFileError if the page holds no HTML at all.
    """
    if b"\0" in content[:4096] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFileError("binary content in a web page")
    if not content.strip():
        return ExtractedDocument("", ())
    try:
        page = html.document_fromstring(content, parser=html.HTMLParser(encoding=_encoding(content), no_network=True))
    except (etree.ParserError, ValueError) as error:
        raise UnreadableFileError(f"not a web page: {error}") from error
    blocks = tuple(_Walk().blocks(_main_part(page)))
    heading = next((block.text for block in blocks if block.kind is BlockKind.HEADING), "")
    return ExtractedDocument(heading or _squeezed(page.findtext(".//title") or ""), blocks)


def _encoding(content: bytes) -> str | None:
    """UTF-8 where the bytes are; otherwise what the page declares."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "utf-8"


def _main_part(page: html.HtmlElement) -> html.HtmlElement:
    """The element with the most text among the main candidates; the page itself if they hold hardly any of it."""
    candidates = [part for part in page.xpath(_MAIN) if not any(up.tag in _SKIPPED for up in part.iterancestors())]
    if not candidates:
        return page
    best = max(candidates, key=lambda part: len(part.text_content()))
    # Several articles side by side are a list, of which one alone would lose the others.
    if best.tag == "article" and sum(part.tag == "article" for part in candidates) > 1:
        return page
    return best


class _Walk:
    """Goes through elements in order and cuts the text at block boundaries."""

    def __init__(self) -> None:
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
        if element.tag in _BLOCKS or element.tag in _HEADINGS:
            yield from self._cut()
        if element.tag == "a" and _PERMALINK.fullmatch((element.text or "").strip()):
            return
        if element.tag in ("td", "th") and self._parts:
            self._parts.append(" | ")
        self._add(element.text, element)

    def _end(self, element: html.HtmlElement, root: html.HtmlElement) -> Iterator[Block]:
        if not _is_skipped(element, root):
            if element.tag in _HEADINGS:
                yield from self._cut(BlockKind.HEADING, int(element.tag[1]))
            elif element.tag == "tr":
                yield from self._cut(BlockKind.TABLE)
            elif element.tag in _BLOCKS and element.tag != "pre":
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
        text = "".join(self._parts)
        text = text.strip("\n").rstrip() if kind is BlockKind.CODE else _squeezed(text)
        line, last = self._line, self._last_line
        self._parts, self._line, self._last_line = [], None, None
        if not text.strip(" |\n"):
            return
        if kind is BlockKind.HEADING:
            self._path = [(above, name) for above, name in self._path if above < level]
            self._path.append((level, text))
        headings = tuple(name for _, name in self._path)
        if kind is BlockKind.CODE and line:
            last = line + text.count("\n")
        yield Block(text, kind, headings, line=line, line_end=last)


def _is_skipped(element: html.HtmlElement, root: html.HtmlElement) -> bool:
    """Parts that are not content. A header inside an article holds its title, so only the page's own counts."""
    if element is root or element.tag not in _SKIPPED:
        return False
    if element.tag == "header":
        return not any(up.tag in ("article", "main") for up in element.iterancestors())
    return True


def _squeezed(text: str) -> str:
    return " ".join(text.split())
