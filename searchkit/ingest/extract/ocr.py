"""Recognises the text of pictures by the program tesseract, if it and the extra [ocr] are installed.

The script of a picture, and which way up it is, are found first; then only the languages of that script are tried.
"""

import hashlib
import importlib.util
import io
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from searchkit.display.installation import Installation
from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.readers import LONGER, heartbeat, seconds_left

if TYPE_CHECKING:
    from PIL import Image

_LANGUAGES = "SEARCHKIT_OCR_LANGUAGES"
_MANY = 4  # of one script; each makes it slower, and distributions may install a hundred
_MOST_UNKNOWN = 8  # where there are too few letters to tell their script, more may be tried
_ONE_THREAD = {"OMP_THREAD_LIMIT": "1"}  # readers run in parallel; tesseract's own threads gain little
_MARGIN_SECONDS = 3  # before a file is given up: then what has been read of it still has to be reported
_SURE_OF_FOREIGN = 5.0  # of that in a script of which no language is installed
_SURE = 3.0  # of tesseract's confidence in script and direction; lines of a few words have less
_LEAST_CONFIDENCE = 50  # of 100, mean of a paragraph's letters; what is seen in clouds and leaves has less
_LEAST_SPARSE = 80  # of single words that are not in lines
_LEAST_LETTERS = 3  # in a picture with text
_SMALLEST = (48, 12)  # pixels; what is smaller is an icon or a line
_LEAST_SHADES = 2  # a picture of one shows nothing
_PIXELS = 16_000_000  # to which larger pictures are reduced
_ENLARGED = ((1_200_000, 3), (3_200_000, 2))  # of up to so many pixels: letters of a screen are too small otherwise
_LONGEST = 32_000  # pixels of a side that tesseract takes
_DARK = 100  # of 255: the mean shade below which letters are light
_HELD = 200  # results of small pictures, such as the logo in each mail
# The languages written in each script, by the names of both in tesseract; all others are taken for Latin.
_SCRIPTS = {
    "Cyrillic": "aze_cyrl bel bul kaz kir mkd mon rus srp tat tgk ukr uzb_cyrl Cyrillic",
    "Greek": "ell grc Greek",
    "Han": "chi_sim chi_tra jpn HanS HanT",
    "Japanese": "jpn chi_sim Japanese",
    "Korean": "kor Hangul",
    "Hangul": "kor Hangul",
    "Arabic": "ara fas kur_ara pus snd uig urd Arabic",
    "Hebrew": "heb yid Hebrew",
    "Devanagari": "hin mar nep san Devanagari",
    "Bengali": "ben asm Bengali",
    "Thai": "tha Thai",
    "Georgian": "kat Georgian",
    "Armenian": "hye Armenian",
    "Tamil": "tam Tamil",
    "Telugu": "tel Telugu",
    "Kannada": "kan Kannada",
    "Malayalam": "mal Malayalam",
    "Gujarati": "guj Gujarati",
    "Gurmukhi": "pan Gurmukhi",
    "Ethiopic": "amh tir Ethiopic",
}
_NOT_LATIN = frozenset(name for names in _SCRIPTS.values() for name in names.split())
_WIDE = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")  # between which there are no blanks

Box = tuple[float, float, float, float]  # left, top, right, bottom: shares of width and height from the upper left


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together, and where they stand in the picture."""

    lines: tuple[str, ...]
    box: Box


def missing() -> str:
    """Say what the user has to install before scans can be read, "" if nothing."""
    steps = []
    if importlib.util.find_spec("PIL") is None:
        steps.append(Installation.here().adding("ocr"))
    if shutil.which("tesseract") is None:
        steps.append("install the program tesseract (apt install tesseract-ocr, brew install tesseract)")
    return " and ".join(steps)


def place_of(boxes: Sequence[Box], around: Box = (0.0, 0.0, 1.0, 1.0)) -> str:
    """The box around boxes in words: "box 10,20,90,35", percent of width and height from the upper left.

    `around`: where the picture stands on its page.
    """
    left, right = (_within(around, 0, side) for side in (min(box[0] for box in boxes), max(box[2] for box in boxes)))
    top, bottom = (_within(around, 1, side) for side in (min(box[1] for box in boxes), max(box[3] for box in boxes)))
    return "box " + ",".join(f"{100 * side:.0f}" for side in (left, top, right, bottom))


def _within(around: Box, side: Literal[0, 1], share: float) -> float:
    start, end = (around[0], around[2]) if side == 0 else (around[1], around[3])
    return start + share * (end - start)


_known: dict[bytes, tuple[Paragraph, ...]] = {}


def read(picture: "Image.Image") -> tuple[Paragraph, ...]:
    """Recognise the paragraphs of a picture, none where there are no letters.

    Languages: the setting's, such as deu+eng, else those installed for its script. Raises UnreadableFileError if tesseract
    fails, as it does for missing languages.
    """
    if picture.width < _SMALLEST[0] or picture.height < _SMALLEST[1]:
        return ()
    plain = _plain(picture)
    if sum(count > 0 for count in plain.histogram()) < _LEAST_SHADES:
        return ()
    setting = os.environ.get(_LANGUAGES, "").encode("utf-8", "replace")
    key = hashlib.blake2b(plain.tobytes() + setting, digest_size=16).digest()
    if key not in _known:
        if len(_known) >= _HELD:
            _known.clear()
        _known[key] = _recognised(plain)
    heartbeat()  # a page takes seconds, a book of them longer than a file may
    return _known[key]


def _plain(picture: "Image.Image") -> "Image.Image":
    """The picture in shades of grey, dark letters on light, in a size at which letters are recognised."""
    from PIL import Image, ImageOps, ImageStat

    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        picture = picture.point(lambda value: value / 256).convert("L")
    if "A" in picture.getbands() or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        letters = ImageStat.Stat(seen.convert("L"), mask=seen.getchannel("A")).mean[0] if seen.getbbox() else 0
        paper = Image.new("RGBA", seen.size, "black" if letters > 160 else "white")
        picture = Image.alpha_composite(paper, seen)
    grey = picture.convert("L")
    area = grey.width * grey.height
    scale = next((float(times) for most, times in _ENLARGED if area <= most), min(1.0, (_PIXELS / area) ** 0.5))
    scale = min(scale, _LONGEST / max(grey.size))
    if scale != 1:
        grey = grey.resize(
            (max(1, int(grey.width * scale)), max(1, int(grey.height * scale))), Image.Resampling.BICUBIC
        )
    return ImageOps.invert(grey) if ImageStat.Stat(grey).mean[0] < _DARK else grey


def _recognised(plain: "Image.Image") -> tuple[Paragraph, ...]:
    script, turn = _script_and_turn(plain)
    turned = plain.rotate(-turn, expand=True) if turn else plain
    languages = _languages(script)
    picture = _png(turned)
    whole = _tesseract("stdin", "stdout", "-l", languages, "tsv", given=picture)
    found = tuple(_paragraphs(whole, turned.size, _LEAST_CONFIDENCE))
    if not found and plain.width * plain.height < _PIXELS / 2:  # lettering here and there, as on a screen
        sparse = _tesseract("stdin", "stdout", "-l", languages, "--psm", "11", "tsv", given=picture)
        found = tuple(_paragraphs(sparse, turned.size, _LEAST_SPARSE))
    if sum(letter.isalnum() for each in found for line in each.lines for letter in line) < _LEAST_LETTERS:
        return ()
    return tuple(Paragraph(each.lines, _turned_back(each.box, turn)) for each in found)


def _png(picture: "Image.Image") -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _script_and_turn(plain: "Image.Image") -> tuple[str, int]:
    """The script, "" if unknown, and by how many degrees clockwise the picture has to be turned."""
    if "osd" not in _installed(with_osd=True):
        return "", 0
    try:
        said = _tesseract("stdin", "stdout", "--psm", "0", given=_png(plain))
    except UnreadableFileError:  # too few letters
        return "", 0
    values = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    sure_of_turn = float(values.get("Orientation confidence", 0)) >= _SURE
    confidence = float(values.get("Script confidence", 0))
    script = values.get("Script", "")
    if confidence < (_SURE_OF_FOREIGN if sure_of_turn and not _written_in(script) else 1):
        script = ""  # clouds and leaves look like letters of any
    turn = int(values.get("Rotate", 0)) if sure_of_turn else 0
    return script if sure_of_turn or _written_in(script) else "", turn


def _turned_back(box: Box, turn: int) -> Box:
    """A box in the picture as it was before it was turned clockwise."""
    left, top, right, bottom = box
    return {90: (top, 1 - right, bottom, 1 - left), 180: (1 - right, 1 - bottom, 1 - left, 1 - top),
            270: (1 - bottom, left, 1 - top, right)}.get(turn, box)  # fmt: skip


def _paragraphs(table: str, size: tuple[int, int], confidence: int) -> Iterator[Paragraph]:
    """The paragraphs in tesseract's table of words: level, page, block, paragraph, line, word, box, confidence, text."""
    held: dict[tuple[str, str], dict[str, list[str]]] = {}
    boxes: dict[tuple[str, str], list[Box]] = {}
    sums: dict[tuple[str, str], list[float]] = {}
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) < 12 or cells[0] != "5" or not (word := cells[11].strip()):
            continue
        key = (cells[2], cells[3])
        held.setdefault(key, {}).setdefault(cells[4], []).append(word)
        left, top, width, height = (float(cell) for cell in cells[6:10])
        boxes.setdefault(key, []).append(
            (left / size[0], top / size[1], (left + width) / size[0], (top + height) / size[1])
        )
        letters = len(word)
        total = sums.setdefault(key, [0.0, 0.0])
        total[0], total[1] = total[0] + letters * float(cells[10]), total[1] + letters
    for key, lines in held.items():
        text = tuple(_joined(words) for words in lines.values())
        letters = sum(map(len, text))
        said = sum(letter.isalnum() for line in text for letter in line)
        if sums[key][0] / sums[key][1] >= confidence and 3 * said >= letters:
            sides = [[box[side] for box in boxes[key]] for side in range(4)]
            yield Paragraph(text, (min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])))


def _joined(words: Sequence[str]) -> str:
    """The words of a line, with blanks between those that are written with blanks."""
    line = words[0]
    for word in words[1:]:
        line += word if _WIDE.match(line[-1]) and _WIDE.match(word) else f" {word}"
    return line


@lru_cache(maxsize=2)
def _installed(*, with_osd: bool = False) -> tuple[str, ...]:
    names = (name.removeprefix("script/") for name in _tesseract("--list-langs").splitlines()[1:])
    return tuple(name for name in names if with_osd or name != "osd")


def _languages(script: str) -> str:
    """The languages to try, joined by +. Raises UnreadableFileError if none of the script is installed."""
    setting = os.environ.get(_LANGUAGES, "").strip()
    if setting:
        return "+".join(re.split(r"[\s,;+]+", setting))
    if not script:
        return "+".join(_preferred(_installed())[:_MOST_UNKNOWN]) or "eng"
    written = _written_in(script)
    if not written:
        names = f"tesseract-ocr-{_SCRIPTS.get(script, 'eng').split()[0].replace('_', '-')}"
        remedy = f"install a language of it for tesseract (for instance apt install {names}), and index again"
        raise UnreadableFileError(
            f"a picture of text in {script} script, of which tesseract knows no language", remedy=remedy
        )
    return "+".join(_preferred(written)[:_MANY])


def _written_in(script: str) -> list[str]:
    """The installed languages of a script."""
    if script in _SCRIPTS:
        return [name for name in _SCRIPTS[script].split() if name in _installed()]
    return [name for name in _installed() if name not in _NOT_LATIN] if script in ("Latin", "Fraktur") else []


def _preferred(names: Sequence[str]) -> list[str]:
    """The languages to try first: the most frequent, English behind those that have more letters than it."""
    first = ("deu", "fra", "spa", "eng")
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))


def _tesseract(*arguments: str, given: bytes = b"") -> str:
    program = shutil.which("tesseract") or "tesseract"
    left = seconds_left() - _MARGIN_SECONDS
    if left <= 0:
        raise UnreadableFileError("OCR would take longer than one file may", remedy=LONGER)
    try:
        done = subprocess.run(
            [program, *arguments],
            input=given,
            capture_output=True,
            env=os.environ | _ONE_THREAD,
            check=False,
            timeout=left if math.isfinite(left) else None,
        )
    except subprocess.TimeoutExpired as error:
        reason = f"a picture that takes tesseract more than {left:.0f} s"
        raise UnreadableFileError(reason, remedy=LONGER) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
        remedy = f"check the languages: tesseract --list-langs shows those installed, {_LANGUAGES} names those to use"
        raise UnreadableFileError(f"a scan that tesseract cannot read: {said[-1]}", remedy=remedy)
    return done.stdout.decode("utf-8", "replace")
