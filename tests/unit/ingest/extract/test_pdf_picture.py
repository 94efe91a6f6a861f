"""A page as a picture: the passage is marked where its words stand, whatever stands between them."""

import io
import time
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.pdf.picture import align, draw_page
from searchkit.ingest.sandbox import page_picture
from searchkit.ingest.sandbox.page_picture import PageRequest, picture_of_page
from searchkit.ingest.sandbox.worker import hash_of
from tests.unit.ingest.extract.test_pdf import pdf, rewritten, writer_of

LINES = ["Corvello manual", "The pump fills the boiler", "until the gauge shows two bar.", "Descale it in March."]
PASSAGE = "The pump fills the boiler until the gauge shows two bar."
_PAPER, _TINT, _MARK = (255, 255, 255), (255, 244, 190), (255, 208, 74)


def colours(picture: bytes) -> dict[int, tuple[int, int, int]]:
    """For each line of LINES the paper's colour between its letters, left of its last word."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    scale = image.width / 600
    found = {}
    for number in range(len(LINES)):
        top = round((800 - 750 + 14 * number - 8) * scale)
        row = [image.getpixel((x, top)) for x in range(round(52 * scale), round(90 * scale))]
        found[number] = max(row, key=lambda colour: sum(colour) if isinstance(colour, tuple) else 0)
    return {number: nearest(colour) for number, colour in found.items()}


def nearest(colour: object) -> tuple[int, int, int]:
    """The one of our colours that a pixel is, after compression."""
    assert isinstance(colour, tuple)
    return min((_PAPER, _TINT, _MARK), key=lambda one: sum(abs(a - b) for a, b in zip(one, colour, strict=True)))


def test_the_passage_is_tinted_and_its_marks_more_so() -> None:
    start = PASSAGE.index("until")
    drawn = draw_page(pdf([LINES]), 1, PASSAGE, [(start, len(PASSAGE))])
    assert 60 / 800 < drawn.top < 75 / 800
    assert 45 / 800 < draw_page(pdf([LINES]), 1, PASSAGE, ()).top < 60 / 800
    assert colours(drawn.picture) == {0: _PAPER, 1: _TINT, 2: _MARK, 3: _PAPER}


def test_a_turned_page_is_marked_where_it_is_shown() -> None:
    writer = writer_of([LINES])
    writer.pages[0].rotate(180)
    image = Image.open(io.BytesIO(draw_page(rewritten(writer), 1, PASSAGE, ()).picture)).rotate(180)
    turned = io.BytesIO()
    image.save(turned, "PNG")
    assert colours(turned.getvalue()) == {0: _PAPER, 1: _TINT, 2: _TINT, 3: _PAPER}


def test_a_passage_that_is_not_there_is_not_marked() -> None:
    assert draw_page(pdf([LINES]), 1, "Prune the roses in March above a bud.", ()).top == 0
    assert set(colours(draw_page(pdf([LINES]), 1, "Prune the roses in March above a bud.", ()).picture).values()) == {
        _PAPER
    }


@pytest.mark.parametrize(
    ("passage", "page", "found"),
    [
        ("the pump fills it", "The PUMP fills it", 4),
        ("the pump fills the boiler slowly", "the pump fills\n Page 3 the boiler slowly", 6),
        ("we exam\ufb01ne the boiler here", "we exam-\nfine the boiler here", 4),
        ("roses the bees and the", "the gauge shows two bar and the lever", 0),
        ("水位が二バール", "水位が\n二バールになる", 7),
        ("descale", "please descale it", 1),
        ("", "words", 0),
        ("words", "", 0),
    ],
)
def test_words_are_paired_in_order(passage: str, page: str, found: int) -> None:
    assert len(align(passage, page)) == found


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_page_that_there_is_not_is_refused(number: int) -> None:
    with pytest.raises(UnreadableFileError, match="has no page"):
        draw_page(pdf([LINES]), number, "", ())


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4 nothing", b"\0" * 100])
def test_what_is_no_pdf_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="cannot be drawn"):
        draw_page(content, 1, "", ())


@pytest.mark.parametrize(("width", "height"), [(14400, 14400), (14400, 1), (1, 14400), (3, 3), (200, 9000)])
def test_a_page_of_any_size_is_a_picture_of_bounded_size(width: int, height: int) -> None:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(width, height)
    try:
        drawn = Image.open(io.BytesIO(draw_page(rewritten(writer), 1, "", ()).picture))
    except UnreadableFileError:
        assert min(width, height) == 1
    else:
        assert drawn.width * drawn.height <= 4_100_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "manual.pdf"
    path.write_bytes(pdf([LINES]))
    return path


def request(file: Path, **changed: object) -> PageRequest:
    fields: dict[str, object] = {"path": str(file), "content": hash_of(file.read_bytes())[:12], "page": 1, **changed}
    return PageRequest(**fields)  # type: ignore[arg-type]


def test_a_process_draws_a_page(file: Path) -> None:
    page = picture_of_page(request(file, passage=PASSAGE, marks=((0, 8),)))
    drawn = page.content
    assert page.top > 0
    assert colours(drawn)[1] == _MARK
    assert colours(drawn)[3] == _PAPER


def test_only_the_file_that_was_indexed_is_drawn(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="has changed since it was indexed"):
        picture_of_page(request(file, content="0" * 12))
    (tmp_path / "link.pdf").symlink_to(file)
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        picture_of_page(request(file, path=str(tmp_path / "link.pdf")))
    with pytest.raises(UnreadableFileError, match="No such file"):
        picture_of_page(request(file, path=str(tmp_path / "gone.pdf")))


@pytest.mark.parametrize(
    "deed", ["import time; time.sleep(600)", "import os; os.kill(os.getpid(), 11)", "bytearray(10**10)", "print('x' * 10**6)",
             "import sys; sys.stdout.write('{\"bytes\": 9}\\n' + 'x' * 10**8)"],
)  # fmt: skip
def test_a_process_that_misbehaves_costs_no_more_than_the_picture(
    file: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    monkeypatch.setattr(page_picture, "_START", deed)
    monkeypatch.setattr(page_picture, "_START_SECONDS", 1)
    monkeypatch.setattr(page_picture, "_SECONDS", 1)
    started = time.monotonic()
    with pytest.raises(UnreadableFileError, match="cannot be drawn within the limits"):
        picture_of_page(request(file))
    assert time.monotonic() - started < 30
