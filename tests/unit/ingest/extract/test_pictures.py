"""Pictures are read by OCR where it is installed, and counted where it is not; text about them is read with them."""

import io
from collections.abc import Sequence
from pathlib import PurePath

import pytest

pytest.importorskip("PIL", reason="the extra [ocr] is not installed")

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from searchkit.errors import UnreadableFileError
from searchkit.ingest.chunk import chunk_document
from searchkit.ingest.extract import ocr
from searchkit.ingest.extract.contained import contained_files
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.readers import extract
from searchkit.ingest.segments import estimate_tokens
from searchkit.types import Block
from tests.support.office_files import zipped

LINES = ("The keeper of the lighthouse counts", "the herring boats before the fog comes in")
needs_tesseract = pytest.mark.skipif(bool(ocr.missing()), reason=f"no OCR here: {ocr.missing()}")


def lettering(
    lines: Sequence[str] = LINES, *, size: int = 40, ink: object = 0, paper: object = 255, mode: str = "L"
) -> Image.Image:
    """A picture of lines in its upper left quarter."""
    picture = Image.new(mode, (1600, 900), paper)  # type: ignore[arg-type]  # a shade or a colour
    font = ImageFont.load_default(40)
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((60, 60 + 60 * number), line, font=font, fill=ink)  # type: ignore[arg-type]
    return picture


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def blocks(content: bytes, name: str = "a.png") -> list[Block]:
    return list(extract(format_of(PurePath(name), content), content).blocks)


def words(content: bytes, name: str = "a.png") -> str:
    return " ".join(" ".join(block.text for block in blocks(content, name)).split())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_picture_is_known_by_its_content(kind: str) -> None:
    content = saved(lettering(), kind)
    assert {format_of(PurePath(name), content) for name in ("a", "a.png", "a.txt", "a.tif")} == {"picture"}


def test_without_ocr_pictures_are_counted_wherever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    content = saved(lettering(), "PNG")
    document = extract("picture", content)
    assert (list(document.blocks), document.scanned_pages) == ([], 1)
    assert extract("picture", b"\x89PNG\r\n\x1a\n").scanned_pages == 0  # too small for any text


@needs_tesseract
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_the_text_of_a_picture_is_read_with_its_place(kind: str) -> None:
    content = saved(lettering(), kind)
    assert words(content) == " ".join(LINES)
    (block,) = blocks(content)
    left, top, right, bottom = map(int, block.place.removeprefix("box ").split(","))
    assert 0 < left < 10 < right < 70
    assert 0 < top < 15 < bottom < 30


@needs_tesseract
def test_a_picture_of_a_telephone_is_read() -> None:
    pi_heif = pytest.importorskip("pi_heif", reason="no wheel of pi-heif here")
    assert pi_heif.libheif_info()["decoders"]
    # pi-heif only reads: what writes the format is not free everywhere
    assert format_of(PurePath("a.jpg"), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic") == "picture"


@needs_tesseract
@pytest.mark.parametrize(
    "picture",
    [
        lettering(ink=255, paper=20),
        lettering(ink=(255, 255, 255, 255), paper=(0, 0, 0, 0), mode="RGBA"),
        lettering(ink=(0, 0, 0, 255), paper=(0, 0, 0, 0), mode="RGBA"),
        lettering(ink=(20, 20, 120), paper=(240, 230, 200), mode="RGB"),
        lettering().resize((800, 450)),
    ],
    ids=["light on dark", "white on nothing", "black on nothing", "coloured", "small letters"],
)
def test_lettering_of_any_shade_and_size_is_read(picture: Image.Image) -> None:
    assert words(saved(picture, "PNG")) == " ".join(LINES)


@needs_tesseract
def test_a_picture_that_lies_on_its_side_is_read() -> None:
    page = lettering([f"{line}, {number}" for number in range(5) for line in LINES])
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    turned = saved(page.rotate(90, expand=True), "JPEG", exif=exif)
    assert "counts, 3 the herring" in words(turned)
    scanned = blocks(saved(page.rotate(90, expand=True), "PNG"))  # the paper was
    assert "counts, 3 the herring" in " ".join(" ".join(block.text for block in scanned).split())


@needs_tesseract
def test_the_pages_of_a_picture_have_numbers() -> None:
    pages = [lettering(["first harbour morning"]), lettering(["second harbour evening"])]
    found = blocks(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert [(block.page, block.text) for block in found] == [
        (1, "first harbour morning"),
        (2, "second harbour evening"),
    ]
    assert [block.place.partition(", box")[0] for block in found] == ["page 1", "page 2"]


@needs_tesseract
def test_what_is_written_about_a_picture_is_read() -> None:
    about = PngImagePlugin.PngInfo()
    about.add_text("Description", "Hazel rods at the weir")
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = "Saxifrage in March", "Wieczorek"
    exif.get_ifd(0x8769)[0x9003] = "2024:03:01 10:00:00"
    assert words(saved(Image.new("L", (300, 300), 255), "PNG", pnginfo=about)) == "Hazel rods at the weir"
    document = extract("picture", saved(Image.new("L", (300, 300), 255), "JPEG", exif=exif))
    assert document.metadata == {"date": "2024-03-01", "author": "Wieczorek"}
    assert [block.text for block in document.blocks] == ["Saxifrage in March\nWieczorek"]


@needs_tesseract
def test_pictures_without_letters_have_no_text() -> None:
    noise = Image.effect_noise((90, 70), 80).resize((900, 700), Image.Resampling.BICUBIC)
    gradient = Image.linear_gradient("L").resize((900, 700))
    assert [blocks(saved(each, "PNG")) for each in (noise, gradient, Image.new("L", (900, 700), 40))] == [[], [], []]


@needs_tesseract
def test_a_damaged_picture_is_reported() -> None:
    whole = saved(lettering(), "PNG")
    for content in (whole[:100], whole[: len(whole) // 2], b"\xff\xd8\xff\xe0" + b"x" * 2000):
        with pytest.raises(UnreadableFileError, match="damaged picture"):
            blocks(content)


@needs_tesseract
def test_a_language_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCHKIT_OCR_LANGUAGES", "qqq")
    with pytest.raises(UnreadableFileError) as refused:
        blocks(saved(lettering(["a language that nobody speaks"]), "PNG"))
    assert "SEARCHKIT_OCR_LANGUAGES" in refused.value.advice


@pytest.mark.parametrize(
    ("format_name", "part"),
    [("docx", "word/media/image1.png"), ("pptx", "ppt/media/image1.png"), ("xlsx", "xl/media/image1.png"),
     ("odf", "Pictures/image1.png"), ("epub", "OEBPS/image1.png")],
)  # fmt: skip
def test_pictures_in_documents_are_documents_of_their_own(format_name: str, part: str) -> None:
    content = zipped(
        {part: saved(lettering(), "PNG"), "docProps/thumbnail.jpeg": saved(lettering(), "JPEG"), "x.xml": "<x/>"}
    )
    found = list(contained_files(format_name, content, 10**7))
    assert [(each.inside, each.format) for each in found] == [("picture image1.png", "picture")]


@needs_tesseract
def test_passages_of_a_picture_have_the_box_around_their_paragraphs() -> None:
    picture = lettering()
    ImageDraw.Draw(picture).text((700, 700), "Nets dry on the wall", font=ImageFont.load_default(40), fill=0)
    (chunk,) = chunk_document(extract("picture", saved(picture, "PNG")), estimate_tokens, 512)
    left, top, right, bottom = map(int, chunk.place.removeprefix("box ").split(","))
    assert left < 10
    assert top < 15
    assert right > 60
    assert bottom > 75
