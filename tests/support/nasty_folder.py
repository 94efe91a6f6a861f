"""Makes a folder of files that have hurt indexers: bombs, loops, lies, odd names. `python -m tests.support.nasty_folder FOLDER`."""

import io
import os
import random
import socket
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from searchkit import formats

MEGABYTE = 1_000_000
SECRET = "the-secret-that-no-document-may-quote"
LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY l0 "lol">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 11))
    + "]>"
)
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def make_nasty_folder(folder: Path, longest: int = 20) -> None:
    """Fill a folder, which must not exist yet; the secret that outer entities point to lies beside it.

    `longest`: megabytes of the longest lines.
    """
    folder.mkdir()
    secret = folder.with_name("secret.txt")
    secret.write_text(SECRET, encoding="utf-8")
    for make in (_bombs, _deep_nesting, _lies, _odd_names, _odd_entries):
        make(folder)
    _long_lines(folder, longest)
    _entities(folder, secret)
    _deep_folders(folder)


def _zipped(path: Path, members: dict[str, bytes | Callable[[zipfile.ZipFile, str], None]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            if callable(content):
                content(archive, name)
            else:
                archive.writestr(name, content)


def _zeros(archive: zipfile.ZipFile, name: str, beginning: bytes = b"", megabytes: int = 300) -> None:
    with archive.open(name, "w", force_zip64=True) as member:
        member.write(beginning)
        for _ in range(megabytes):
            member.write(b" " * MEGABYTE)


def word_document(body: str, prolog: str = "") -> dict[str, bytes | Callable[[zipfile.ZipFile, str], None]]:
    """The members of a .docx with this body."""
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return {
        "[Content_Types].xml": (
            f'<Types xmlns="{types}"><Override PartName="/word/document.xml" ContentType="{kind}"/></Types>'
        ).encode(),
        "_rels/.rels": (
            f'<Relationships xmlns="{relations}"><Relationship Id="r" Type="{office}" Target="word/document.xml"/></Relationships>'
        ).encode(),
        "word/document.xml": (
            f'{prolog}<w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>{body}</w:t></w:r></w:p></w:body></w:document>'
        ).encode(),
    }


def _bombs(folder: Path) -> None:
    _zipped(folder / "bomb.docx", {**word_document("x"), "word/document.xml": _zeros})
    _zipped(folder / "bomb.xlsx", {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": _zeros})
    _zipped(folder / "bomb.odt", {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": _zeros})
    _zipped(folder / "bomb.pptx", {f"ppt/slides/slide{n}.xml": b"<x/>" for n in range(60_000)})
    _zipped(folder / "bomb.epub", {"mimetype": b"application/epub+zip", "META-INF/container.xml": _zeros})
    _zipped(folder / "paragraphs.docx", word_document("words </w:t></w:r></w:p><w:p><w:r><w:t>" * 3_500_000))
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        _zeros(archive, "zeros", megabytes=50)
    _zipped(folder / "nested.docx", {"word/document.xml": inner.getvalue()})
    with (folder / "sparse.txt").open("wb") as file:
        file.truncate(6_000 * MEGABYTE)
    with (folder / "sparse.unknown").open("wb") as file:
        file.truncate(6_000 * MEGABYTE)


def _entities(folder: Path, secret: Path) -> None:
    external = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}"><!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd">]>'
    for suffix in ("xml", "html", "fodt", "svg"):
        (folder / f"laughs.{suffix}").write_text(f"{LAUGHS}<x>&l10;</x>", encoding="utf-8")
        (folder / f"external.{suffix}").write_text(f"{external}<x>outer: &e;</x>", encoding="utf-8")
    _zipped(folder / "laughs.docx", word_document("&l10;", LAUGHS))
    _zipped(folder / "external.docx", word_document("outer: &e;", external))
    _zipped(folder / "slip.docx", {**word_document("climbing"), "../../../tmp/slipped.txt": b"x", "/etc/slipped": b"x"})
    (folder / "include.rst").write_text(
        f".. include:: {secret}\n\n.. raw:: html\n   :file: {secret}\n", encoding="utf-8"
    )
    (folder / "include.org").write_text(f'#+INCLUDE: "{secret}"\n#+SETUPFILE: {secret}\n', encoding="utf-8")


def _long_lines(folder: Path, longest: int) -> None:
    words = longest * MEGABYTE // 5
    (folder / "letters.txt").write_text("x" * longest * MEGABYTE, encoding="utf-8")
    (folder / "words.txt").write_text("word " * words, encoding="utf-8")
    (folder / "words.md").write_text("word " * 400_000, encoding="utf-8")
    (folder / "one.json").write_text('{"a": "' + "word " * words + '"}', encoding="utf-8")
    (folder / "one.csv").write_text("word, " * 400_000, encoding="utf-8")
    (folder / "one.html").write_text("<p>" + "word " * 400_000, encoding="utf-8")
    (folder / "one.py").write_text("x = [" + "1, " * 700_000 + "]", encoding="utf-8")
    (folder / "astral.txt").write_text("\N{GRINNING FACE}" + "word " * (words // 4), encoding="utf-8")


def _deep_nesting(folder: Path) -> None:
    depth = 100_000
    for name, text in {
        "deep.json": "[" * depth,
        "deep.yaml": "- " * depth,
        "deep.html": "<div>" * depth + "text",
        "deep.xml": "<a>" * depth,
        "quotes.md": ">" * 20_000 + " text",
        "brackets.md": "[" * 20_000,
        "stars.md": "*a _" * 20_000,
        "ticks.md": "`a``b" * 20_000,
        "lists.md": "\n".join("  " * n + "- x" for n in range(1500)),
        "groups.rtf": "{\\rtf1 " + "{" * depth + "text",
        "brackets.py": "(" * depth,
        "sections.rst": "\n".join(f"T\n{chr(33 + n % 14) * 3}\n" for n in range(20_000)),
        "stars.org": "\n".join("*" * (n % 3000 + 1) + " x" for n in range(5000)),
        "columns.csv": ",".join(f"c{n}" for n in range(100_000)) + "\n1,2\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    parts = "".join(f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n' for n in range(3000))
    (folder / "deep.eml").write_text(f"Subject: deep\n{parts}\ntext\n", encoding="utf-8")
    (folder / "wordless.mbox").write_text("From \n" * 50_000, encoding="utf-8")


def _lies(folder: Path) -> None:
    """Every kind of file: empty, random, cut off, of another kind than its name says."""
    chance = random.Random(20260101)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a", "x" * 1000)
    for suffix in sorted(formats.SUFFIXES_READ):
        (folder / f"empty{suffix}").write_bytes(b"")
        (folder / f"random{suffix}").write_bytes(chance.randbytes(5000))
        (folder / f"zip{suffix}").write_bytes(zipped.getvalue())
        (folder / f"cut{suffix}").write_bytes(zipped.getvalue()[:300])
        (folder / f"text{suffix}").write_text("Plain words under any name.\n", encoding="utf-8")
        (folder / f"nul{suffix}").write_bytes(b"words\0and\0nothing\0" * 50)
    (folder / "loop.pdf").write_bytes(
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R]/Count 99999999>>endobj\n"
        b"trailer<</Root 1 0 R/Prev 0>>\nstartxref\n0\n%%EOF"
    )


def _odd_names(folder: Path) -> None:
    names = [
        b"caf\xe9.txt",
        b"two\nlines.txt",
        b"-dash.txt",
        b" blank .txt",
        b"tab\there.txt",
        b"dots...txt",
        b"con.txt",
        b"\x1b[31mred.txt",
        "emoji \N{WOMAN} 'quoted\".txt".encode(),
        "\u202eright to left.txt".encode(),
        "e\u0301 decomposed.txt".encode(),
        b"n" * 251 + b".txt",
        b"%s%n$(touch x)`x`;x.txt",
    ]
    for name in names:
        (folder / os.fsdecode(name)).write_text("odd name", encoding="utf-8")


def _odd_entries(folder: Path) -> None:
    """Create things that are not files, and links in a circle."""
    os.mkfifo(folder / "pipe.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "a.txt").symlink_to(folder / "b.txt")
    (folder / "b.txt").symlink_to(folder / "a.txt")
    (folder / "outside").symlink_to("/etc")
    (folder / "dangling.md").symlink_to("nowhere")
    (folder / "hard.txt").hardlink_to(folder / "con.txt")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)  # a socket's path must be short
        try:
            listener.bind("socket.txt")
        finally:
            os.chdir(here)


def _deep_folders(folder: Path) -> None:
    deep = folder / "/".join(["deep"] * 200)
    deep.mkdir(parents=True)
    (deep / "bottom.txt").write_text("At the bottom.", encoding="utf-8")
    place = os.open(folder, os.O_RDONLY)
    for _ in range(25):  # together longer than a path may be
        os.mkdir("n" * 200, dir_fd=place)
        below = os.open("n" * 200, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)


if __name__ == "__main__":
    make_nasty_folder(Path(sys.argv[1]))
