"""Files inside files are documents of their own, with their place, and follow the file around them."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection, verify_collection
from searchkit.search.request import SearchRequest
from searchkit.types import SearchMode
from tests.support.office_files import zipped


def attach(path: Path, **files: bytes) -> None:
    message = EmailMessage()
    message["From"], message["Subject"], message["Date"] = "Ada <a@b.c>", "Mill", "Mon, 10 Mar 2025 09:00:00 +0100"
    message.set_content("The lease is with this mail.\n")
    for name, content in files.items():
        message.add_attachment(content, "application", "octet-stream", filename=name.replace("_", "."))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(message))


def hits(library: Library, query: str) -> list[tuple[str, str]]:
    """(name of the file, place) of each hit by words."""
    found = library.find(SearchRequest(query, mode=SearchMode.LEXICAL)).hits
    return [(hit.path.name, hit.place) for hit in found]


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    folder = tmp_path / "mails"
    minutes = zipped(
        {"minutes/march.md": "# March\n\nThe wheel was greased.", "minutes/april.txt": "The sluice leaks."}
    )
    attach(folder / "mill.eml", old_zip=minutes, lease_txt=b"The lease of the mill ends in September.")
    return folder


def test_each_file_in_a_file_is_a_document_with_its_place(library: Library, mails: Path) -> None:
    report = library.index(mails)
    assert (report.added, report.files_skipped, report.files_unsupported, report.problems) == (1, 0, 0, ())
    status = library.status("mails")
    assert (status.files, status.documents_inside) == (1, 4)
    assert hits(library, "sluice") == [("mill.eml", "attachment old.zip, minutes/april.txt, line 1")]
    assert hits(library, "greased") == [("mill.eml", "attachment old.zip, minutes/march.md, line 3")]
    assert hits(library, "september") == [("mill.eml", "attachment lease.txt, line 1")]
    assert hits(library, "type:markdown greased") == hits(library, "greased")
    assert hits(library, "type:mail september") == []
    assert hits(library, "until:2025-04-01 september") == hits(library, "september")  # the mail's date is the file's
    hit = library.search("greased", mode=SearchMode.LEXICAL)[0]
    assert library.collection("mails").context_of(hit).format == "markdown"
    assert verify_collection(library.collection("mails")) == []


def test_they_follow_the_file_around_them(library: Library, mails: Path) -> None:
    library.index(mails)
    assert library.index(mails).unchanged == 1
    (mails / "mill.eml").rename(mails / "wheel.eml")
    assert library.index(mails).moved == 1
    assert [name for name, _ in hits(library, "sluice")] == ["wheel.eml"]
    assert verify_collection(library.collection("mails")) == []
    attach(mails / "wheel.eml", lease_txt=b"The lease was renewed.")
    assert library.index(mails).changed == 1
    assert hits(library, "sluice") == []
    assert hits(library, "renewed") == [("wheel.eml", "attachment lease.txt, line 1")]
    (mails / "other.md").write_text("other")
    (mails / "wheel.eml").unlink()
    assert library.index(mails).deleted == 1
    assert hits(library, "renewed") == []
    status = library.status("mails")
    assert (status.documents_inside, status.passages, status.vectors) == (0, 1, 1)
    assert verify_collection(library.collection("mails")) == []


def test_forgetting_a_file_forgets_what_is_in_it(library: Library, mails: Path) -> None:
    (mails / "other.md").write_text("other")
    library.index(mails)
    assert library.collection("mails").forget(mails / "mill.eml") == 1
    assert hits(library, "sluice") == []
    assert library.status("mails").passages == 1
    assert verify_collection(library.collection("mails")) == []


def test_a_rebuilt_collection_has_them_too(library: Library, mails: Path) -> None:
    library.index(mails)
    rebuild_collection(library.collection("mails"), [], lambda _: None)
    assert library.status("mails").documents_inside == 4
    assert hits(library, "sluice") == [("mill.eml", "attachment old.zip, minutes/april.txt, line 1")]
    (mails / "mill.eml").rename(mails / "wheel.eml")
    library.index(mails)
    assert [name for name, _ in hits(library, "sluice")] == ["wheel.eml"]


def test_what_cannot_be_read_in_a_file_is_a_problem_of_its_own(library: Library, tmp_path: Path) -> None:
    attach(tmp_path / "mails" / "mill.eml", broken_docx=b"PK\3\4 cut off", empty_txt=b"  ", good_txt=b"hazel")
    report = library.index(tmp_path / "mails")
    assert report.added == 1
    assert [(problem.path.name, problem.reason.split(":")[0]) for problem in report.problems] == [
        ("mill.eml", "attachment broken.docx"),
        ("mill.eml", "attachment empty.txt"),
    ]
    problems = library.status("mails").problems
    assert [problem.path for problem in problems] == [tmp_path / "mails" / "mill.eml"] * 2
    assert hits(library, "hazel") == [("mill.eml", "attachment good.txt, line 1")]


def test_a_setting_leaves_them_out_and_brings_them_back(
    library: Library, mails: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(mails)
    monkeypatch.setenv("SEARCHKIT_READ_CONTAINED", "false")
    assert library.index(mails).changed == 1
    assert hits(library, "sluice") == []
    assert library.index(mails).unchanged == 1
    monkeypatch.setenv("SEARCHKIT_READ_CONTAINED", "true")
    assert library.index(mails).changed == 1
    assert len(hits(library, "sluice")) == 1


def test_an_archive_is_found_by_the_names_in_it(library: Library, tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "photos.zip").write_bytes(
        zipped({"harvest-festival.jpg": b"\xff\xd8", "notes/hazel.txt": "rods"})
    )
    library.index(tmp_path / "box")
    assert hits(library, "festival") == [("photos.zip", "")]
    assert hits(library, "rods") == [("photos.zip", "notes/hazel.txt, line 1")]
