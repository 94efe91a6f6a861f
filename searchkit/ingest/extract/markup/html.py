"""Reads HTML: the main part as blocks under their headings, then the rest of the page; no navigation, scripts and buttons."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from urllib.parse import urlsplit

from lxml import etree, html

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import charset
from searchkit.ingest.extract.data.table import column_names, joined_cells
from searchkit.ingest.extract.readers import leave_out
from searchkit.ingest.extract.text import address_behind
from searchkit.types import Block, BlockKind, ExtractedDocument

_SKIPPED = frozenset("script style noscript template iframe nav button datalist head".split())
_NO_TEXT, _NAVIGATION = "no text", "navigation"
_KINDS = {
    "nav": _NAVIGATION, "noscript": "parts for browsers without scripts", "template": "templates", "button": "buttons",
    "datalist": "choices that are not chosen",
}  # fmt: skip
_FRAME = frozenset(("header", "footer", "aside"))  # of the page, unless they are inside its main part
_LISTS = frozenset(
    "ul ol div section table p form header footer aside".split()
)  # that may be navigation, outside of it
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_BLOCKS = frozenset(
    "address article aside blockquote body br caption center dd details div dl dt fieldset figcaption figure footer header hr"
    " html li main ol option p pre section select summary table tbody td textarea tfoot th thead tr ul".split()
)
_SHOWING = frozenset(("img", "area", "input", "abbr", "dfn", "svg"))  # what is in their attributes
_DRAWN = ("svg", "text", "title", "desc", "math")  # words that nothing but their places parts
_NO_CELLS = ("table", "pre", *sorted(_HEADINGS))  # a row that contains these is page layout
_ROW_CHARACTERS = 2000  # and so is a row with more text than this
_LITTLE = 0.1  # an element with less than this share of the page's text is not its main part
_MOSTLY = 0.8
_PERMALINK = re.compile(r"[¶§#🔗]")
_MAIN = "//main | //*[@role='main'] | //article"
_ABSOLUTE = re.compile(r"(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
_SAVED_FROM = re.compile(r"saved from url=\(\d+\)(\S+)")
_TYPED = ("", "text", "search", "email", "tel", "url", "number", "date", "time")  # inputs whose value is shown
_SOME, _MANY = 200, 3  # characters of addresses that a block may contain, or a share of its own: one in this many
_METADATA = {
    "description": "description", "og:description": "description", "twitter:description": "description",
    "dc.description": "description", "dcterms.description": "description", "abstract": "description",
    "keywords": "tags", "news_keywords": "tags", "article:tag": "tags", "dc.subject": "tags", "dcterms.subject": "tags",
    "author": "author", "article:author": "author", "dc.creator": "author", "dcterms.creator": "author",
    "date": "date", "article:published_time": "date", "dcterms.date": "date", "dc.date": "date",
    "og:title": "page title", "twitter:title": "page title", "dc.title": "page title", "dcterms.title": "page title",
    "article:section": "category", "publisher": "publisher", "dc.publisher": "publisher", "og:url": "url",
}  # fmt: skip
_JOINED = {"description": " ", "page title": "\n"}
_SINGLE = ("date", "url")  # of which the first counts; of others, each that says more


def extract_html(content: bytes, url: str = "") -> ExtractedDocument:
    """Read blocks of the main part (main, role=main or article, else the body), then what is around it. The title is its first
    h1, else <title>; a title that is not the h1 is metadata. `url`: the page's own address, if its envelope says it.

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
    return _read(page, url)


def _read(page: html.HtmlElement, url: str) -> ExtractedDocument:
    metadata = _metadata(page)
    site = _site_of(url or metadata.get("url", ""))
    walk, part = _Walk(site), _main_part(page)
    blocks = tuple(walk.blocks(part))
    if part is not page:
        rest = tuple(_Walk(site, outside=True).blocks(page, without=part))
        if _length(blocks) < _LITTLE * _length(rest):
            walk = _Walk(site)
            blocks = tuple(walk.blocks(page))
        else:
            blocks += rest
    named = _squeezed(page.xpath("string((//title[not(ancestor::svg)])[1])"))
    titles = [named, *metadata.pop("page title", "").split("\n")]
    if not blocks:
        blocks = tuple(Block(words) for words in (named, metadata.get("description", "")) if words)
    if others := _saying_more(titles, walk.first_h1 or named):
        metadata["page title"] = "; ".join(others)
    return ExtractedDocument(walk.first_h1 or named, blocks, metadata)


def _length(blocks: tuple[Block, ...]) -> int:
    return sum(len(block.text) for block in blocks)


def _saying_more(texts: list[str], known: str) -> list[str]:
    """The texts that are in none of those before, nor in one that is known."""
    kept: list[str] = []
    for text in texts:
        if text and not any(text.casefold() in each.casefold() for each in (known, *kept)):
            kept.append(text)
    return kept


def _metadata(page: html.HtmlElement) -> dict[str, str]:
    """What the page's head says of it, and the address that it was saved from. "page title": one a line."""
    said: dict[str, list[str]] = {}
    for entry in page.iter("meta"):
        name = _METADATA.get((entry.get("name") or entry.get("property") or "").lower())
        if (
            name
            and (value := _squeezed(entry.get("content") or ""))
            and not (name == "author" and _ABSOLUTE.match(value))
        ):
            said.setdefault(name, []).append(value)
    found = {
        name: values[0] if name in _SINGLE else _JOINED.get(name, ", ").join(_saying_more(values, ""))
        for name, values in said.items()
    }
    for link in page.xpath("//link[@rel='canonical']/@href"):
        found.setdefault("url", str(link))
    for comment in page.xpath("/comment()[contains(., 'saved from url')]"):  # as browsers write
        if saved := _SAVED_FROM.search(comment.text or ""):
            found.setdefault("url", saved[1])
    if not re.match(r"\d{4}-\d\d-\d\d", found.get("date", "0000-00-00")):
        found["published"] = found.pop("date")
    return found


def _in_utf8(content: bytes) -> bytes:
    """The page in UTF-8, whatever its encoding was and whatever it declares."""
    if content.isascii() and b"\0" not in content and b"\x1b" not in content:
        return content
    return charset.decode(content, kind="web page").encode("utf-8", "replace")


def _main_part(page: html.HtmlElement) -> html.HtmlElement:
    """The element with the most text among the main candidates, else the page itself."""
    candidates = [
        part
        for part in page.xpath(_MAIN)
        if not any(up.tag in _SKIPPED or up.tag in _FRAME for up in part.iterancestors())
    ]
    if not candidates:
        return page
    best = max(candidates, key=lambda part: len(part.text_content()))
    # Several sibling articles are a list: choosing one would lose the others.
    if best.tag == "article" and any(part is not best and best not in part.iterancestors() for part in candidates):
        return page
    return best


@dataclass(slots=True)
class _Words:
    """The text that is being collected up to the next boundary, and the addresses behind words of it."""

    parts: list[str] = field(default_factory=list)
    addresses: list[tuple[int, str, str]] = field(default_factory=list)  # (part before which it stands, words, address)
    line: int | None = None
    last_line: int | None = None

    def raw(self) -> tuple[str, list[str]]:
        """The text; and lines "words (address)", which follow it if there are too many to stand in it."""
        if not self.addresses:
            return "".join(self.parts), []
        length = sum(map(len, self.parts))
        if sum(len(address) for *_, address in self.addresses) > max(_SOME, length // _MANY):
            lines = (f"{_squeezed(words)}{address}" for _, words, address in self.addresses)
            return "".join(self.parts), list(dict.fromkeys(lines))
        for at, _, address in reversed(self.addresses):
            self.parts.insert(at, address)
        return "".join(self.parts), []


class _Walk:
    """Walks the elements in order, and cuts the text at block boundaries; a row of a table is one block.

    `site`: the page's own, "" if unknown; `outside`: of the main part, where lists of links are navigation.
    """

    def __init__(self, site: str = "", *, outside: bool = False) -> None:
        self.first_h1 = ""
        self._site, self._outside = site, outside
        self._around: set[html.HtmlElement] = set()  # what contains the part that was read before
        self._frames: list[html.HtmlElement] = []  # that the walk is inside of
        self._path: list[tuple[int, str]] = []
        self._held = _Words()
        self._links: list[tuple[html.HtmlElement, int]] = []
        self._table: tuple[html.HtmlElement | None, str] = (None, "")
        self._spans: dict[int, tuple[int, str]] = {}  # rows that a cell still spans, and its text, by column

    def blocks(self, root: html.HtmlElement, without: html.HtmlElement | None = None) -> Iterator[Block]:
        """Read the blocks below an element, except those below another one."""
        self._around = set(without.iterancestors()) if without is not None else set()
        walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        for event, element in walk:
            if event in ("comment", "pi"):
                self._add(element.tail if element is not root else None)
            elif event == "start":
                if element is without or self._is_skipped(element, root):
                    walk.skip_subtree()
                elif element.tag == "pre":
                    yield from self._cut()
                    self._add(element.text_content(), element)
                    yield from self._cut(BlockKind.CODE)
                    walk.skip_subtree()
                elif _is_row(element):
                    yield from self._cut()
                    yield from self._row(element)
                    walk.skip_subtree()
                else:
                    yield from self._start(element)
            elif event == "end":
                yield from self._end(element, root)

    def _start(self, element: html.HtmlElement) -> Iterator[Block]:
        if element.tag in _BLOCKS or element.tag in _HEADINGS:
            yield from self._cut()
        if element.tag in _FRAME and _is_frame(element):
            self._frames.append(element)
        if element.tag in _DRAWN:
            self._add(" ")
        if element.tag == "a":
            if _PERMALINK.fullmatch((element.text or "").strip()):
                return
            self._links.append((element, len(self._held.parts)))
        self._add(element.text, element)
        if element.tag in _SHOWING and (shown := _attributes(element)):
            self._add(f" {shown} ", element)
            if element.tag == "area":  # of a picture with places to click on
                self._end_link(element, len(self._held.parts) - 1)
        elif (label := element.get("aria-label")) and _is_described(element, label):
            self._add(f" {label} ", element)
        elif (summary := element.get("summary")) and element.tag == "table":
            self._add(f" {summary} ", element)
            yield from self._cut()
        elif (tip := element.get("title")) and tip.casefold() not in element.text_content().casefold():
            self._add(f" ({tip}) ")

    def _end(self, element: html.HtmlElement, root: html.HtmlElement) -> Iterator[Block]:
        if self._links and element is self._links[-1][0]:
            self._end_link(*self._links.pop())
        if not self._is_skipped(element, root):
            if element.tag in _HEADINGS:
                yield from self._cut(BlockKind.HEADING, int(element.tag[1]))
            elif element.tag in _BLOCKS and element.tag not in ("pre", "br"):
                yield from self._cut()
        if self._frames and element is self._frames[-1]:
            self._frames.pop()
        if element is not root:
            self._add(element.tail)

    def _end_link(self, link: html.HtmlElement, start: int) -> None:
        href = link.get("href") or ""
        if tags := ", ".join(filter(None, (link.get("tags"), link.get("shortcuturl")))):  # of a bookmark
            self._add(f" ({tags})")
        # A place on the page, or another page of the same site.
        if not _ABSOLUTE.match(href) or (self._site and _site_of(href) == self._site):
            return
        words = "".join(self._held.parts[start:]) or link.text_content()
        if address := address_behind(words, href):
            self._held.addresses.append((len(self._held.parts), words, address))

    def _row(self, row: html.HtmlElement) -> Iterator[Block]:
        """A row of cells, each in its column: what spans rows is in each of them, a wide cell has its width."""
        table = next(row.iterancestors("table"), None)
        if table is not self._table[0]:
            self._table, self._spans = (table, _names(table)), {}
        cells: list[str] = []
        for cell in row.iterchildren("td", "th"):
            self._spanned(cells)
            text = " ".join(
                block.text.replace("\n", " ") for block in _Walk(self._site, outside=self._outside).blocks(cell)
            )
            self._spans[len(cells)] = (_span(cell, "rowspan") - 1, text)
            cells += [text, *[""] * (_span(cell, "colspan") - 1)]
        self._spanned(cells)
        if line := joined_cells(cells):
            last = max((part.sourceline or 0 for part in row.iter(etree.Element)), default=0)
            headings = tuple(name for _, name in self._path)
            start = row.sourceline
            yield Block(line, BlockKind.TABLE, headings, line=start, line_end=last or start, columns=self._table[1])

    def _spanned(self, cells: list[str]) -> None:
        while self._spans.get(len(cells), (0, ""))[0] > 0:
            left, text = self._spans[len(cells)]
            self._spans[len(cells)] = (left - 1, text)
            cells.append(text)

    def _add(self, text: str | None, element: html.HtmlElement | None = None) -> None:
        if text:
            self._held.parts.append(text)
        if element is not None and element.sourceline:
            self._held.line = self._held.line or element.sourceline
            self._held.last_line = element.sourceline

    def _cut(self, kind: BlockKind = BlockKind.PARAGRAPH, level: int = 0) -> Iterator[Block]:
        held = self._held
        if not held.parts:
            held.line = held.last_line = None
            return
        self._held = _Words()
        if self._links:
            self._links = [(link, 0) for link, _ in self._links]
        if kind is BlockKind.HEADING:  # which stands in titles, where addresses would be in the way
            raw, behind = "".join(held.parts), [address.strip(" ()") for *_, address in held.addresses]
        else:
            raw, behind = held.raw()
        text = raw.strip("\n").rstrip() if kind is BlockKind.CODE else _squeezed(raw)
        if not text.strip(" |\n"):
            return
        if kind is BlockKind.HEADING:
            self._path = [(above, name) for above, name in self._path if above < level]
            self._path.append((level, text))
            self.first_h1 = self.first_h1 or (text if level == 1 else "")
        line, last = held.line, held.last_line
        if kind is BlockKind.CODE and line:
            line += len(raw) - len(raw.lstrip("\n"))
            last = line + text.count("\n")
        elif line:
            last = max(last or line, line + raw.rstrip().count("\n"))
        block = Block(text, kind, tuple(name for _, name in self._path), line=line, line_end=last)
        yield block
        if behind:
            yield replace(block, text="\n".join(behind), kind=BlockKind.TABLE)

    def _is_skipped(self, element: html.HtmlElement, root: html.HtmlElement) -> bool:
        """True for parts that are no content; those with words are noted."""
        kind = "" if element is root else self._kind_of_skipped(element)
        if kind and kind != _NO_TEXT and any(not text.isspace() for text in element.itertext()):
            leave_out(kind)
        return bool(kind)

    def _kind_of_skipped(self, element: html.HtmlElement) -> str:
        """The kind of a part that is no content: what is never shown, buttons, navigation; "" for content. Lists of links are
        navigation outside the main part, and in the page's own header, footer and asides.
        """
        tag = element.tag
        if tag in _SKIPPED:
            return _KINDS.get(str(tag), _NO_TEXT)
        if element.get("role") == "navigation":
            return _NAVIGATION
        if element.get("hidden") is not None:
            return "hidden parts"
        if tag == "option":
            return "choices that are not chosen" if element.get("selected") is None else ""
        if tag not in _LISTS or not (self._outside or self._frames or tag in _FRAME):
            return ""
        is_apart = self._outside or self._frames or _is_frame(element)
        return _NAVIGATION if element not in self._around and is_apart and _is_navigation(element) else ""


def _site_of(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def _is_frame(element: html.HtmlElement) -> bool:
    """True for the page's own header, footer and asides, not for those of an article or of the main part."""
    return element.tag in _FRAME and not any(
        up.tag in ("article", "main") or up.get("role") == "main" for up in element.iterancestors()
    )


def _is_navigation(element: html.HtmlElement) -> bool:
    """True if hardly anything of an element's text is not links, several of them."""
    links = [len("".join(link.text_content().split())) for link in element.iter("a")]
    return len(links) > 2 and sum(links) >= _MOSTLY * len("".join(element.text_content().split()))


def _is_described(element: html.HtmlElement, label: str) -> bool:
    """True if a label for those who hear a page says what others see or where a link leads, and names no part of the page."""
    if element.get("role") in ("img", "figure", "math"):
        return True
    text = element.text_content().strip()
    if element.tag == "a":
        return label.casefold() not in text.casefold()
    return not text and element.get("role") is None and not element.xpath(".//img | .//svg | .//input")


def _attributes(element: html.HtmlElement) -> str:
    """The text that an element shows, or has shown in its place, without containing it."""
    if element.tag in ("img", "area"):
        return ": ".join(dict.fromkeys(filter(None, (element.get("title"), element.get("alt")))))
    if element.tag == "input":
        kind = (element.get("type") or "").lower()
        return element.get("alt" if kind == "image" else "value") or "" if kind in (*_TYPED, "image") else ""
    if element.tag in ("abbr", "dfn"):
        return f"({element.get('title')})" if element.get("title") else ""
    return element.get("aria-label") or "" if element.tag == "svg" else ""


def _names(table: html.HtmlElement | None) -> str:
    """The names of a table's columns."""
    rows: list[list[str]] = []
    marked = 0
    for row in table.iter("tr") if table is not None else ():
        if next(row.iterancestors("table"), None) is table and _is_row(row):
            cells = list(row.iterchildren("td", "th"))
            parent = row.getparent()
            is_head = (parent is not None and parent.tag == "thead") or all(cell.tag == "th" for cell in cells)
            marked += marked == len(rows) and is_head
            wide = ([_squeezed(cell.text_content()), *[""] * (_span(cell, "colspan") - 1)] for cell in cells)
            rows.append(list(chain.from_iterable(wide)))
            if len(rows) > marked + 1:
                break
    return column_names(rows, marked)


def _span(cell: html.HtmlElement, name: str) -> int:
    said = (cell.get(name) or "").strip()
    return max(1, min(int(said), 100)) if said.isdecimal() else 1


def _is_row(element: html.HtmlElement) -> bool:
    """True if a row belongs to a table of data, to be read across, and not to a page laid out as a table."""
    if element.tag != "tr" or next(element.iter(*_NO_CELLS), None) is not None:
        return False
    return len(element.text_content()) <= _ROW_CHARACTERS


def _squeezed(text: str) -> str:
    """One line of text without soft hyphens, which only mark where a word may break, and would split it."""
    return " ".join(text.replace("\u00ad", "").split())
