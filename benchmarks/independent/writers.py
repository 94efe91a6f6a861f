# ruff: noqa: E501 (markup in one line)
"""Writes files of several formats by independent libraries, with text in every place that these can write to."""

import random
from collections.abc import Callable
from datetime import date, timedelta
from email.message import EmailMessage
from html import escape
from itertools import count
from pathlib import Path

from benchmarks.reading import sample_sentences


class Text:
    """Sentences of the sample documents in random order, and words that are in one place alone. `latin`: no other script."""

    def __init__(self, seed: int, *, latin: bool = False) -> None:
        self.chance = random.Random(seed)
        self._sentences = [
            each for each in sample_sentences() if not latin or each.encode("cp1252", "ignore").decode("cp1252") == each
        ]
        self._numbers = count(1)
        self._seed = seed

    def words(self) -> str:
        """A few words with one that nothing else has."""
        return f"{' '.join(self.chance.choice(self._sentences).split()[:5])} q{self._seed}x{next(self._numbers)}"

    def paragraph(self) -> str:
        """Some sentences."""
        return " ".join(self.chance.choice(self._sentences) for _ in range(self.chance.randint(1, 6)))

    def rows(self) -> list[list[str]]:
        """A table with a row of names and empty cells."""
        width = self.chance.randint(2, 6)
        names = [f"Name {self.words()}" for _ in range(width)]
        rows = [
            ["" if self.chance.random() < 0.2 else self.words() for _ in range(width)]
            for _ in range(self.chance.randint(2, 30))
        ]
        return [names, *rows]

    def address(self) -> str:
        """An address that nothing else has."""
        return f"https://site{self._seed}.example/page{next(self._numbers)}"


def write_docx(path: Path, text: Text) -> None:
    """Headings, paragraphs, lists, tables with merged cells, headers, footers, comments, links, properties."""
    import docx
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import parse_xml

    document = docx.Document()
    document.core_properties.title, document.core_properties.author = text.words(), text.words()
    document.sections[0].header.paragraphs[0].text = text.words()
    document.sections[0].footer.paragraphs[0].text = text.words()
    for level in (1, 2, 3):
        document.add_heading(text.words(), level)
        document.add_paragraph(text.paragraph())
        document.add_paragraph(text.words(), style="List Bullet")
        document.add_paragraph(text.words(), style="List Number")
        linked = document.add_paragraph(text.words())
        identifier = document.part.relate_to(text.address(), RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
        spaces = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
        spaces += ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
        run = f'<w:hyperlink {spaces} r:id="{identifier}"><w:r><w:t xml:space="preserve"> {escape(text.words())}</w:t></w:r></w:hyperlink>'
        linked._p.append(parse_xml(run))
        document.add_comment(linked.runs, text=text.words(), author="Reader", initials="R")
        rows = text.rows()
        table = document.add_table(len(rows), len(rows[0]))
        for row, cells in zip(table.rows, rows, strict=True):
            for cell, said in zip(row.cells, cells, strict=True):
                cell.text = said
        table.cell(1, 0).merge(table.cell(2, 0))
    document.save(str(path))


def write_xlsx(path: Path, text: Text) -> None:
    """Sheets with numbers, dates and money in several formats, merged cells, comments, links, headers."""
    import openpyxl
    from openpyxl.comments import Comment

    workbook = openpyxl.Workbook()
    workbook.properties.title = text.words()
    for _ in range(2):
        sheet = workbook.create_sheet(f"Sheet {text.chance.randint(1, 10**6)}")
        sheet.oddHeader.center.text, sheet.oddFooter.left.text = text.words(), text.words()
        for row in text.rows():
            sheet.append([cell or None for cell in row])
        for code in ("0000000", '"MB-"0000', "#,##0.00 [$€-407]", "0.0%", "General", "dd.mm.yyyy"):
            number = text.chance.randint(1, 99_999)
            value = date(2020, 1, 1) + timedelta(days=number % 2000) if "y" in code else number / 8
            sheet.append([text.words(), None, value])
            sheet.cell(sheet.max_row, 3).number_format = code
        sheet["A1"].comment = Comment(text.words(), "Reader")
        sheet["A2"] = text.words()
        sheet["A2"].hyperlink = text.address()
    workbook.save(path)


def write_pptx(path: Path, text: Text) -> None:
    """Slides with titles, text, tables and notes."""
    from pptx import Presentation
    from pptx.util import Inches

    presentation = Presentation()
    presentation.core_properties.author = text.words()
    for _ in range(4):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = text.words()
        slide.placeholders[1].text = text.paragraph()
        rows = text.rows()[:8]
        shape = slide.shapes.add_table(len(rows), len(rows[0]), Inches(1), Inches(1), Inches(6), Inches(3))
        for i, row in enumerate(rows):
            for j, said in enumerate(row):
                shape.table.cell(i, j).text = said
        box = slide.shapes.add_textbox(Inches(1), Inches(1), Inches(1), Inches(1)).text_frame
        box.text = text.words()
        run = box.paragraphs[0].add_run()
        run.text, run.hyperlink.address = f" {text.words()}", text.address()
        slide.notes_slide.notes_text_frame.text = text.words()
    presentation.save(str(path))


def write_odt(path: Path, text: Text) -> None:
    """Headings, paragraphs, lists, links, notes, tables."""
    from odf.opendocument import OpenDocumentText
    from odf.table import Table, TableCell, TableRow
    from odf.text import A, H, List, ListItem, Note, NoteBody, P

    document = OpenDocumentText()
    for level in (1, 2, 3):
        document.text.addElement(H(outlinelevel=level, text=text.words()))
        paragraph = P(text=text.paragraph() + " ")
        paragraph.addElement(A(href=text.address(), text=text.words()))
        note = Note(noteclass="footnote")
        body = NoteBody()
        body.addElement(P(text=f" {text.words()}"))  # the independent reader puts it right behind the word
        note.addElement(body)
        paragraph.addElement(note)
        document.text.addElement(paragraph)
        items = List()
        item = ListItem()
        item.addElement(P(text=text.words()))
        items.addElement(item)
        document.text.addElement(items)
        table = Table(name=f"T{level}")
        for cells in text.rows():
            row = TableRow()
            for said in cells:
                cell = TableCell(valuetype="string")
                cell.addElement(P(text=said))
                row.addElement(cell)
            table.addElement(row)
        document.text.addElement(table)
    document.save(str(path))


def write_ods(path: Path, text: Text) -> None:
    """Sheets of words and of numbers with what is shown of them."""
    from odf.opendocument import OpenDocumentSpreadsheet
    from odf.table import Table, TableCell, TableRow
    from odf.text import P

    document = OpenDocumentSpreadsheet()
    for number in (1, 2):
        table = Table(name=f"Sheet{number}")
        for cells in text.rows():
            row = TableRow()
            for said in cells:
                cell = TableCell(valuetype="string") if said else TableCell()
                if said:
                    cell.addElement(P(text=said))
                row.addElement(cell)
            value = text.chance.randint(1, 10**6) / 8
            cell = TableCell(valuetype="float", value=str(value))
            cell.addElement(P(text=f"{value:,.2f} €"))
            row.addElement(cell)
            table.addElement(row)
        document.spreadsheet.addElement(table)
    document.save(str(path))


def write_html(path: Path, text: Text) -> None:
    """A page with a head, navigation, a main part with tables, pictures and links, asides and a footer."""

    def cells(row: list[str], tag: str) -> str:
        return "".join(f"<{tag}>{escape(said)}</{tag}>" for said in row)

    names, *rows = text.rows()
    lines = "".join(f"<tr>{cells(row, 'td')}</tr>\n" for row in rows)
    parts = "".join(
        f"<section><h2>{escape(text.words())}</h2><p>{escape(text.paragraph())} <a href='{text.address()}'>{escape(text.words())}</a></p>"
        f"<ul><li>{escape(text.words())}<li>{escape(text.words())}</ul><img src=x alt='{escape(text.words(), quote=True)}'></section>"
        for _ in range(4)
    )
    path.write_text(
        f"<!DOCTYPE html><html><head><title>{escape(text.words())}</title><meta name=description content='{escape(text.words(), quote=True)}'>"
        f"<style>p {{}}</style></head><body><header>{escape(text.words())}</header><nav><a href=a>{escape(text.words())}</a></nav>"
        f"<main><h1>{escape(text.words())}</h1>{parts}<table><thead><tr>{cells(names, 'th')}</tr></thead>{lines}</table></main>"
        f"<aside>{escape(text.words())}</aside><footer>{escape(text.words())}</footer><script>var x = 1</script></body></html>",
        encoding="utf-8",
    )


def write_mail(path: Path, text: Text) -> None:
    """A message in plain text and HTML."""
    message = EmailMessage()
    message["From"], message["To"] = "ada@meadow.example", "joram@meadow.example"
    message["Subject"], message["Date"] = text.words(), "Tue, 11 Mar 2025 09:12:00 +0100"
    body = [text.paragraph() for _ in range(4)]
    if text.chance.random() < 0.5:
        message.set_content("\n\n".join(body))
    else:
        message.set_content("Please turn on HTML in your mail program.\n")
        message.add_alternative("".join(f"<p>{escape(part)}</p>" for part in body), subtype="html")
    path.write_bytes(bytes(message))


def write_pdf(path: Path, text: Text) -> None:
    """Pages with running lines, paragraphs and a table."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

    running = text.words()

    def on_page(canvas: Canvas, template: SimpleDocTemplate) -> None:
        canvas.drawString(40, 820, running)
        canvas.drawString(40, 20, f"Page {template.page}")

    styles = getSampleStyleSheet()
    story: list[object] = []
    for _ in range(6):
        story.append(Paragraph(escape(text.words()), styles["Heading1"]))
        story += [Paragraph(escape(text.paragraph()), styles["BodyText"]) for _ in range(5)]
        story.append(Table([[Paragraph(escape(said), styles["BodyText"]) for said in row] for row in text.rows()]))
    SimpleDocTemplate(str(path), pagesize=A4).build(story, onFirstPage=on_page, onLaterPages=on_page)


WRITERS: dict[str, Callable[[Path, Text], None]] = {
    "docx": write_docx, "xlsx": write_xlsx, "pptx": write_pptx, "odt": write_odt, "ods": write_ods, "html": write_html,
    "eml": write_mail, "pdf": write_pdf,
}  # fmt: skip
