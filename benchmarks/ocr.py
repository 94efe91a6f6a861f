"""Recall of OCR on rendered pages: texts of several languages are drawn as scans, read as pictures, and compared.

    python -m benchmarks.ocr FOLDER --font FILE --wide-font FILE [--pages N]

FOLDER has a plain text for each language, named LANGUAGE.txt (deu.txt, jpn.txt); the fonts are those of Debian's
fonts-dejavu-core and fonts-noto-cjk. Each text gives N pages at 200 dots an inch with a little noise and blur, as scanners
have them. Words are runs of letters and digits, and count as often as they occur; of scripts without blanks each letter is one.
"""

import argparse
import io
import re
import time
import unicodedata
from collections import Counter
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from searchkit.ingest.extract.readers import extract

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_SIZE, _MARGIN, _LETTERS, _LINE = (1654, 2339), 150, 34, 52  # pixels of A4 at 200 dots an inch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--font", required=True)
    parser.add_argument("--wide-font", required=True)
    parser.add_argument("--pages", type=int, default=20)
    options = parser.parse_args()
    print("| language | pages | words | recall | seconds a page |\n|---|---|---|---|---|")
    for path in sorted(options.folder.glob("*.txt")):
        text = " ".join(path.read_text("utf-8").split())
        is_wide = 5 * len(_WIDE.findall(text)) > len(text)
        font = ImageFont.truetype(options.wide_font if is_wide else options.font, _LETTERS)
        started, expected, found, at = time.monotonic(), 0, 0, 0
        for number in range(options.pages):
            picture, said, at = page(text, at, font, number)
            theirs, ours = words(said), words(read(picture))
            expected, found = expected + theirs.total(), found + (theirs & ours).total()
        seconds = (time.monotonic() - started) / options.pages
        print(
            f"| {path.stem} | {options.pages} | {expected:,} | {found / max(1, expected):.4f} | {seconds:.1f} |",
            flush=True,
        )


def page(text: str, at: int, font: ImageFont.FreeTypeFont, seed: int) -> tuple[Image.Image, str, int]:
    """Draw a page of text from a position on. Return it, what it says, and the position behind it."""
    picture = Image.new("L", _SIZE, 250)
    draw, start = ImageDraw.Draw(picture), at
    for y in range(_MARGIN, _SIZE[1] - _MARGIN, _LINE):
        length = next(
            (n for n in range(120, 0, -1) if draw.textlength(text[at : at + n], font=font) < _SIZE[0] - 2 * _MARGIN), 1
        )
        blank = text.rfind(" ", at, at + length)
        length = blank - at + 1 if blank > at + length // 2 else length
        draw.text((_MARGIN, y), text[at : at + length], font=font, fill=20)
        at += length
    noise = Image.effect_noise(_SIZE, 20 + seed % 3)
    return Image.blend(picture, noise, 0.08).filter(ImageFilter.GaussianBlur(0.6)), text[start:at], at


def read(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return "\n".join(block.text for block in extract("picture", stream.getvalue()).blocks)


def words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


if __name__ == "__main__":
    main()
