"""Reads Office Open XML packages, as Word, PowerPoint and Excel write them: parts by their relations, properties, drawn text."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.archive import Archive, attribute, damaged, descendants, first, local
from searchkit.ingest.extract.data.table import BAR, column_names, joined_cells
from searchkit.ingest.extract.office.cell_formats import number_text
from searchkit.ingest.extract.text import address_behind

_FAMILIES = {"wordprocessingml": "Word document", "presentationml": "presentation", "spreadsheetml": "workbook"}
_PROPERTIES = {
    "creator": "author",
    "created": "date",
    "subject": "subject",
    "keywords": "tags",
    "category": "category",
    "contentStatus": "status",
    "description": "description",
    "language": "language",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """A part referred to by another one. `kind`: the last word of the relation's type, the same in all editions."""

    kind: str
    target: str


class Package:
    """A package and its parts; `family` is the word for its format in content types, such as "wordprocessingml"."""

    def __init__(self, content: bytes, family: str) -> None:
        self.kind = _FAMILIES[family]
        self.archive = Archive(content, self.kind)
        self._relations: dict[str, dict[str, Relation]] = {}
        self._addresses: dict[str, dict[str, str]] = {}
        self.main = self._main_part(family)

    def relations(self, part: str) -> dict[str, Relation]:
        """The parts that a part refers to inside the package, by relation id; "" for the package's own relations."""
        if part not in self._relations:
            self._relations[part] = dict(self._read_relations(part))
        return self._relations[part]

    def _read_relations(self, part: str) -> Iterator[tuple[str, Relation]]:
        folder = posixpath.dirname(part)
        for relation in self._relation_elements(part):
            if relation.get("TargetMode") != "External" and relation.get("Target"):
                target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
                yield relation.get("Id", ""), Relation(posixpath.basename(relation.get("Type", "")), target)

    def _relation_elements(self, part: str) -> Iterable[etree._Element]:
        folder, name = posixpath.split(part)
        root = self.archive.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        return () if root is None else [child for child in root if local(child.tag) == "Relationship"]

    def addresses(self, part: str) -> dict[str, str]:
        """The addresses outside the package that a part links to, by relation id."""
        if part not in self._addresses:
            self._addresses[part] = {
                relation.get("Id", ""): relation.get("Target", "")
                for relation in self._relation_elements(part)
                if relation.get("TargetMode") == "External" and relation.get("Type", "").endswith("/hyperlink")
            }
        return self._addresses[part]

    def related(self, part: str, *kinds: str) -> list[str]:
        """Names of the existing parts that a part has such relations to."""
        relations = self.relations(part).values()
        return [relation.target for relation in relations if relation.kind in kinds and relation.target in self.archive]

    def properties(self) -> tuple[str, dict[str, str]]:
        """The title, and the other core properties."""
        parts = self.related("", "core-properties")
        root = self.archive.xml(parts[0]) if parts else None
        entries = () if root is None else root
        said = {local(entry.tag): " ".join((entry.text or "").split()) for entry in entries}
        found = {ours: said[theirs] for theirs, ours in _PROPERTIES.items() if said.get(theirs)}
        return said.get("title", ""), self._own_properties() | found

    def _own_properties(self) -> dict[str, str]:
        """Company and manager, and what the authors have defined themselves, such as a file number."""
        found = {}
        for part in self.related("", "custom-properties", "extended-properties"):
            root = self.archive.xml(part)
            for entry in root if root is not None else ():
                name = entry.get("name", "").lower() or local(entry.tag).lower()
                if entry.get("name") or name in ("company", "manager"):
                    found[name] = " ".join("".join(map(str, entry.itertext())).split())
        return found

    def drawn(self, part: str, graphics: list[etree._Element]) -> Iterator[str]:
        """Text of the diagrams (SmartArt) and charts that elements of a part refer to."""
        relations = self.relations(part) if graphics else {}
        for graphic in graphics:
            is_chart = local(graphic.tag) == "chart"
            relation = relations.get(attribute(graphic, "id" if is_chart else "dm"))
            root = self.archive.xml(relation.target) if relation else None
            if root is not None:
                text = chart_text(root) if is_chart else paragraphs_text(root)
                if text:
                    yield text
                drawn_on_it = self.related(relation.target, "chartUserShapes") if relation else ()
                for shapes in drawn_on_it:
                    over = self.archive.xml(shapes)
                    if over is not None and (text := paragraphs_text(over)):
                        yield text

    def _main_part(self, family: str) -> str:
        parts = self.related("", "officeDocument")
        if not parts:
            raise damaged(self.kind, "its main part is missing")
        types = self.archive.xml("[Content_Types].xml")
        for entry in types if types is not None else ():
            said = entry.get("ContentType", "")
            if entry.get("PartName", "").lstrip("/").lower() == parts[0].lower():
                other = next((name for word, name in _FAMILIES.items() if word in said and word != family), None)
                if other:
                    raise UnreadableFileError(
                        f"its content is a {other}, not a {self.kind}",
                        remedy="give it the ending that fits its content",
                    )
                if "binary" in said:
                    raise UnreadableFileError(
                        "a workbook in Excel's binary format (.xlsb)", remedy="save it as an ordinary workbook (.xlsx)"
                    )
        return parts[0]


def paragraphs_text(element: etree._Element, addresses: Mapping[str, str] | None = None) -> str:
    """The paragraphs of a drawing, one per line; `addresses`: of its links, by relation id."""
    lines = (paragraph_text(paragraph, addresses) for paragraph in descendants(element, "p"))
    return "\n".join(line for line in lines if line)


def paragraph_text(paragraph: etree._Element, addresses: Mapping[str, str] | None = None) -> str:
    """A drawing's paragraph (a:p); the slide's number, a field, is left out."""
    parts = []
    for element in descendants(paragraph, "t", "br", "tab"):
        name, parent = local(element.tag), element.getparent()
        if name != "t":
            parts.append("\n" if name == "br" else " ")
        elif parent is None or parent.get("type") != "slidenum":
            parts.append(element.text or "")
            if addresses is not None and parent is not None:
                parts.append(_address(parent, element.text or "", addresses))
    return "".join(parts).replace("\v", "\n").strip()


def _address(run: etree._Element, words: str, addresses: Mapping[str, str]) -> str:
    link = next(descendants(run, "hlinkClick"), None)
    return behind_link(words, link, addresses) if link is not None else ""


def behind_link(words: str, link: etree._Element, addresses: Mapping[str, str]) -> str:
    """What a link shows only when one points at it: its tip, and its address. `addresses`: by relation id."""
    tip = " ".join(attribute(link, "tooltip").split())
    said = f" ({tip})" if tip and tip not in words else ""
    return said + address_behind(words + said, addresses.get(relation_id(link), ""))


def relation_id(element: etree._Element) -> str:
    """The relation's id: of the attributes called id, the one in the relations' namespace."""
    return next((str(value) for key, value in element.attrib.items() if str(key).endswith("}id")), "")


def links_of_shapes(element: etree._Element, addresses: Mapping[str, str]) -> Iterator[str]:
    """Tips and addresses of pictures and shapes that are links as a whole."""
    for about in descendants(element, "docPr", "cNvPr"):
        for link in descendants(about, "hlinkClick"):
            if text := behind_link("", link, addresses).strip():
                yield text


def pictured(element: etree._Element) -> Iterator[str]:
    """The descriptions that an author gave to the pictures and shapes of an element (their alternative texts)."""
    for about in descendants(element, "docPr", "cNvPr"):
        words = dict.fromkeys(" ".join(about.get(name, "").split()) for name in ("title", "descr"))
        if text := ": ".join(filter(None, words)):
            yield text


def table_rows(table: etree._Element, addresses: Mapping[str, str]) -> tuple[list[str], str]:
    """The rows of a drawing's table (a:tbl) as lines, and the names of its columns, "" if it has none."""
    rows: list[list[str]] = []
    for row in descendants(table, "tr"):
        cells: list[str] = []
        for cell in (child for child in row if local(child.tag) == "tc"):
            if _is_true(cell, "vMerge") and rows and len(cells) < len(rows[-1]):
                cells.append(rows[-1][len(cells)])  # each row says what it shares with the one above
            else:
                cells.append("" if _is_true(cell, "hMerge") else " ".join(paragraphs_text(cell, addresses).split()))
        if any(cells):
            rows.append(cells)
    about = next(descendants(table, "tblPr"), None)
    marked = 1 if about is not None and _is_true(about, "firstRow") else 0
    return list(map(joined_cells, rows)), column_names(rows, marked)


def _is_true(element: etree._Element, name: str) -> bool:
    return element.get(name) in ("1", "true")


def chart_text(chart: etree._Element) -> str:
    """A chart's titles, categories and series as lines."""
    lines = [text for paragraph in descendants(chart, "p") if (text := paragraph_text(paragraph))]
    categories = ""
    for series in descendants(chart, "ser"):
        ours = _cached(first(series, "cat"))
        if ours and ours != categories:
            categories = ours
            lines.append(ours)
        values = _cached(first(series, "val"), numbers=True)
        lines.append(BAR.join(part for part in (_cached(_child(series, "tx")), values) if part))
    return "\n".join(line for line in lines if line)


def _child(element: etree._Element, name: str) -> etree._Element | None:
    return next((child for child in element if local(child.tag) == name), None)


def _cached(element: etree._Element | None, *, numbers: bool = False) -> str:
    """The values that a chart stores of the cells it shows."""
    if element is None:
        return ""
    texts = [value.text for value in descendants(element, "v") if value.text]
    return BAR.join(map(number_text, texts) if numbers else texts)
