"""The fence around readers: whatever a file does to its worker costs that file only, within the limits."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdf
import pytest

from searchkit.ingest.extract import readers
from searchkit.ingest.sandbox.messages import Job, Limits, Reading, Setup
from searchkit.ingest.sandbox.pool import read_files
from searchkit.types import Block, Chunk, ExtractedDocument
from tests.support.files import write

MEGABYTE = 1_000_000
GOOD = "Prune the roses in March."


def misbehave(content: bytes) -> ExtractedDocument:
    """A reader that does what the file says."""
    actions: dict[bytes, Callable[[], object]] = {
        b"hang": lambda: time.sleep(1000),
        b"spin": lambda: sum(iter(int, 1)),
        b"crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        b"exit": lambda: os._exit(3),
        b"eat": lambda: bytearray(4_000 * MEGABYTE),
        b"connect": lambda: socket.create_connection(("127.0.0.1", 9)),
        b"resolve": lambda: socket.getaddrinfo("localhost", 80),
        b"write": lambda: Path("/tmp/searchkit-must-not-exist").write_text("x"),
        b"start": lambda: subprocess.run(["true"], check=False),
        b"system": lambda: os.system("true"),
        b"delete": lambda: Path(__file__).unlink(),
        b"print": lambda: os.write(1, b'{"done": {}}\n'),
        b"scan": lambda: subprocess.run(["tesseract"], check=False),
        b"noise": lambda: sys.stdout.write("noise\n"),
    }
    if action := actions.get(content.strip()):
        action()
    if content.strip() == b"endless":
        return ExtractedDocument("", _endless())
    return ExtractedDocument("a title", (Block(content.decode(), line=1, line_end=1),), {"author": "Ada"})


def _endless() -> Iterator[Block]:
    while True:
        yield Block("word " * 1000)


class MisbehavingCounter:
    """Counts words; where it is unpickled, the text reader is the misbehaving one."""

    def __init__(self) -> None:
        readers._READERS["text"] = ("misbehaving", "misbehave")
        sys.modules["searchkit.ingest.extract.misbehaving"] = sys.modules[__name__]

    def __call__(self, text: str) -> int:
        """Words."""
        return len(text.split())

    def __reduce__(self) -> tuple[type["MisbehavingCounter"], tuple[()]]:
        return MisbehavingCounter, ()


@pytest.fixture(autouse=True)
def _readers_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readers._READERS, "text", readers._READERS["text"])


@dataclass(frozen=True)
class Read:
    """A reading with its chunks kept."""

    reading: Reading
    chunks: tuple[Chunk, ...]

    @property
    def reason(self) -> str:
        """Why there are no chunks."""
        return self.reading.reason

    @property
    def text(self) -> str:
        """Of the first chunk."""
        return self.chunks[0].text


def read(folder: Path, *names: str, seconds: int = 60, **limits: Any) -> dict[str, Read]:
    """Readings by file name."""
    setup = Setup(MisbehavingCounter(), 256, Limits(file_bytes=MEGABYTE, seconds=seconds, **limits))
    jobs = [Job(str(folder / name), "text", 0) for name in names]
    return {Path(reading.job.path).name: Read(reading, tuple(reading.chunks)) for reading in read_files(jobs, setup)}


def test_a_file_comes_back_as_chunks_with_hash_and_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", GOOD)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    found = read(tmp_path, "a.txt")["a.txt"]
    reading = found.reading
    assert [(chunk.text, chunk.title, chunk.line) for chunk in found.chunks] == [(GOOD, "a title", 1)]
    assert (reading.reason, reading.size_bytes, reading.mtime_ns) == ("", len(GOOD), 10**18)
    assert reading.metadata == {"author": "Ada"}
    assert reading.content_hash is not None


def test_what_is_known_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", GOOD)
    known = read(tmp_path, "a.txt")["a.txt"].reading.content_hash
    assert known is not None
    setup = Setup(MisbehavingCounter(), 256, Limits(MEGABYTE, 60))
    (reading,) = read_files([Job(str(tmp_path / "a.txt"), "text", 0, known.hex())], setup)
    assert reading.unchanged
    assert len(reading.chunks) == 0


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("crash", "its reader crashed (SIGSEGV)"),
        ("exit", "its reader crashed"),
        ("eat", "reading it takes more memory than one file may have"),
        ("connect", "may not use socket"),
        ("resolve", "may not use socket"),
        ("write", "may not write /tmp/searchkit-must-not-exist"),
        ("start", "may not start true"),
        ("system", "may not use os.system"),
        ("delete", "may not use os.remove"),
    ],
)
def test_a_misbehaving_file_costs_that_file_only(tmp_path: Path, action: str, reason: str) -> None:
    names = ["first.txt", "bad.txt", "last.txt"]
    for name in names:
        write(tmp_path / name, action if name == "bad.txt" else GOOD)
    found = read(tmp_path, *names)
    assert reason in found["bad.txt"].reason
    assert found["bad.txt"].chunks == ()
    assert [found[name].text for name in ("first.txt", "last.txt")] == [GOOD, GOOD]
    assert not Path("/tmp/searchkit-must-not-exist").exists()


@pytest.mark.parametrize("action", ["hang", "spin"])
def test_a_file_that_never_ends_is_given_up(tmp_path: Path, action: str) -> None:
    write(tmp_path / "bad.txt", action)
    write(tmp_path / "good.txt", GOOD)
    found = read(tmp_path, "bad.txt", "good.txt", seconds=3)
    assert found["bad.txt"].reason == "reading it took longer than 3 s"
    assert "max_file_seconds" in found["bad.txt"].reading.remedy
    assert found["good.txt"].text == GOOD


def _program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program that is called tesseract on the path."""
    (folder / "bin").mkdir()
    write(folder / "bin" / "tesseract", f"#!/bin/sh\n{script}\n").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)


def test_a_program_that_a_reader_has_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, f"echo $$ > {tmp_path}/process; exec sleep 1000", monkeypatch)
    write(tmp_path / "bad.txt", "scan")
    assert "longer than 3 s" in read(tmp_path, "bad.txt", seconds=3)["bad.txt"].reason
    process = int((tmp_path / "process").read_text())
    status = Path(f"/proc/{process}/stat")
    if status.exists():  # until whoever adopts it has seen its end
        assert status.read_text().split()[2] == "Z"
    else:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_pages_that_ocr_has_no_time_for_are_named_and_the_others_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PIL", reason="the extra [ocr] is not installed")
    from tests.unit.ingest.extract import test_pdf  # here, since the workers import this module

    _program(tmp_path, 'if [ "$1" = --list-langs ]; then echo; echo eng; else exec sleep 1000; fi', monkeypatch)
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(test_pdf.scan([["Honey"], ["Wax"]])))
    typed = test_pdf.pdf([["The ferry leaves the northern pier at eight."]])
    writer.append(io.BytesIO(typed))
    (tmp_path / "a.pdf").write_bytes(test_pdf.rewritten(writer))
    setup = Setup(MisbehavingCounter(), 256, Limits(MEGABYTE, seconds=10))
    for reading in read_files([Job(str(tmp_path / "a.pdf"), "", 0)], setup):
        assert (reading.reason, reading.scanned_pages) == ("", 2)
        assert [what for what in reading.left_out if "OCR" in what]
        assert [chunk.text for chunk in reading.chunks] == ["The ferry leaves the northern pier at eight."]


def test_endless_text_is_cut_short(tmp_path: Path) -> None:
    write(tmp_path / "bad.txt", "endless")
    found = read(tmp_path, "bad.txt", text_characters=2 * MEGABYTE)
    assert found["bad.txt"].reason == "it unpacks to more than 2,000,000 characters of text"
    assert found["bad.txt"].chunks == ()


@pytest.mark.parametrize("action", ["print", "noise"])
def test_what_a_reader_prints_is_no_answer(tmp_path: Path, action: str) -> None:
    write(tmp_path / "loud.txt", action)
    assert read(tmp_path, "loud.txt")["loud.txt"].text == action


def test_pipes_links_and_folders_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "link.txt").symlink_to("/etc/passwd")
    (tmp_path / "folder.txt").mkdir()
    found = read(tmp_path, "pipe.txt", "link.txt", "folder.txt", "missing.txt", seconds=5)
    assert found["pipe.txt"].reason == "not a regular file"
    assert "cannot be read" in found["link.txt"].reason
    assert all(reading.reason and not reading.chunks for reading in found.values())
    assert not found["missing.txt"].reading.is_lasting


def test_a_file_that_grew_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(6_000 * MEGABYTE)
    assert "6,000 MB, more than the limit of 1 MB" in read(tmp_path, "a.txt")["a.txt"].reason


def test_many_files_go_through_several_workers_and_all_come_back(tmp_path: Path) -> None:
    names = [f"{number}.txt" for number in range(60)]
    for number, name in enumerate(names):
        write(tmp_path / name, "exit" if number % 20 == 7 else f"{GOOD} Number {number}.")
    found = read(tmp_path, *names)
    assert set(found) == set(names)
    assert sum(bool(reading.reason) for reading in found.values()) == 3


def test_ending_early_ends_the_workers(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path / f"{number}.txt", GOOD)
    setup = Setup(MisbehavingCounter(), 256, Limits(MEGABYTE, 60))
    readings = read_files([Job(str(tmp_path / f"{number}.txt"), "text", 0) for number in range(40)], setup)
    assert isinstance(readings, Iterator)
    before = children()
    next(readings)
    assert children() > before
    readings.close()  # type: ignore[attr-defined]
    assert children() == before


def children() -> set[str]:
    """The processes that this one started, as `ps` shows them: id and parent."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(maxsplit=2) for line in listed.splitlines())
    return {pid for pid, parent, arguments in rows if parent == str(os.getpid()) and not arguments.startswith("ps ")}


def test_a_counter_that_cannot_travel_is_a_clear_error() -> None:
    with pytest.raises(TypeError, match="must be picklable"):
        Setup(lambda text: len(text) + 1, 256, Limits(MEGABYTE, 60)).encode()
