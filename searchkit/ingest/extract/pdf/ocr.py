"""Recognises the text of page pictures by the program tesseract, if it and the extra [ocr] are installed."""

import importlib.util
import io
import os
import re
import shutil
import subprocess
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING

from searchkit.display.installation import Installation
from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.readers import heartbeat

if TYPE_CHECKING:
    import pypdfium2

_LANGUAGES = "SEARCHKIT_OCR_LANGUAGES"
_MANY = 4  # each language makes it slower; distributions may install a hundred
_ONE_THREAD = {"OMP_THREAD_LIMIT": "1"}  # readers run in parallel; tesseract's own threads gain little


def missing() -> str:
    """Say what the user has to install before scans can be read, "" if nothing."""
    steps = []
    if importlib.util.find_spec("PIL") is None:
        steps.append(Installation.here().adding("ocr"))
    if shutil.which("tesseract") is None:
        steps.append("install the program tesseract (apt install tesseract-ocr, brew install tesseract)")
    return " and ".join(steps)


def read(picture: "pypdfium2.PdfBitmap") -> str:
    """Recognise the text, with empty lines between paragraphs. Languages: the setting's, such as deu+eng, else those installed.

    Raises UnreadableFileError if tesseract fails, as it does for missing languages.
    """
    image = io.BytesIO()
    with closing(picture):
        picture.to_pil().save(image, "PNG", compress_level=1)
    text = _tesseract("stdin", "stdout", "-l", _languages(), given=image.getvalue()).replace("\f", "\n")
    heartbeat()  # a page takes seconds, a book of them longer than a file may
    return text


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    names = _tesseract("--list-langs").splitlines()[1:]
    return tuple(name for name in names if name != "osd" and "/" not in name)


def _languages() -> str:
    setting = os.environ.get(_LANGUAGES, "").strip()
    if setting:
        return "+".join(re.split(r"[\s,;+]+", setting))
    installed = _installed()
    if len(installed) <= _MANY:
        return "+".join(installed) or "eng"
    return "eng" if "eng" in installed else installed[0]


def _tesseract(*arguments: str, given: bytes = b"") -> str:
    program = shutil.which("tesseract") or "tesseract"
    done = subprocess.run(
        [program, *arguments], input=given, capture_output=True, env=os.environ | _ONE_THREAD, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
        remedy = f"check the languages: tesseract --list-langs shows those installed, {_LANGUAGES} names those to use"
        raise UnreadableFileError(f"a scan that tesseract cannot read: {said[-1]}", remedy=remedy)
    return done.stdout.decode("utf-8", "replace")
