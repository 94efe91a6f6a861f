import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit.errors import UsageError
from searchkit.files import path_from_text, path_to_text
from searchkit.ingest.discover import OFFLINE, FoundFile, UnreadableFolder, discover, left_out_of
from searchkit.reports import LeftOut, LeftOutRule


def write(root: Path, *names: str, content: str = "x") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def found(root: Path, excluded: frozenset[Path] = frozenset()) -> list[str]:
    return [entry.relative for entry in discover(root, excluded) if not isinstance(entry, LeftOut)]


def test_files_come_folder_by_folder_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path, "b/z.txt", "b/a/y.txt", "a/x.txt", "c.txt", "B.txt", "a.txt")
    expected = ["B.txt", "a.txt", "c.txt", "a/x.txt", "b/z.txt", "b/a/y.txt"]
    assert found(tmp_path) == expected
    assert found(tmp_path) == expected


def test_a_found_file_says_where_it_is_and_how_large(tmp_path: Path) -> None:
    write(tmp_path, "a/x.txt", content="four")
    (entry,) = discover(tmp_path)
    status = (tmp_path / "a/x.txt").stat()
    assert entry == FoundFile(tmp_path / "a/x.txt", "a/x.txt", 4, status.st_mtime_ns, status.st_ctime_ns)


def test_hidden_files_and_leftovers_are_passed_over(tmp_path: Path) -> None:
    write(
        tmp_path,
        ".env",
        ".git/config",
        "node_modules/m.js",
        "a/__pycache__/m.py",
        "x.txt~",
        "~$x.md",
        "#x.md#",
        "kept.txt",
    )
    assert found(tmp_path) == ["kept.txt"]


def test_rules_of_both_ignore_files_hold_below_their_folder(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", content="*.log\n/build/\n# note\n\n!keep.log\n")
    write(tmp_path, "sub/.searchkitignore", content="*.md\n!sub.log\n/top.txt\n")
    write(tmp_path, "a.log", "keep.log", "build/x.txt", "sub/build/y.txt", "a.md", "top.txt")
    write(tmp_path, "sub/a.log", "sub/sub.log", "sub/b.md", "sub/top.txt", "sub/deep/top.txt", "sub/deep/c.md")
    assert found(tmp_path) == ["a.md", "keep.log", "top.txt", "sub/sub.log", "sub/build/y.txt", "sub/deep/top.txt"]


def test_our_own_ignore_file_has_the_last_word(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", content="*.pdf\n")
    write(tmp_path, ".searchkitignore", content="!*.pdf\n*.txt\n")
    write(tmp_path, "a.pdf", "b.txt", "c.md")
    assert found(tmp_path) == ["a.pdf", "c.md"]


def test_a_deeper_rule_takes_back_a_higher_one(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", content="*.txt\n")
    write(tmp_path, "a/.gitignore", content="!*.txt\n")
    write(tmp_path, "a/b/.gitignore", content="secret.txt\n")
    write(tmp_path, "x.txt", "a/x.txt", "a/b/x.txt", "a/b/secret.txt")
    assert found(tmp_path) == ["a/x.txt", "a/b/x.txt"]


def test_what_lies_in_an_ignored_folder_cannot_be_taken_back(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", content="out/\n!out/kept.txt\n")
    write(tmp_path, "out/kept.txt", "in.txt")
    assert found(tmp_path) == ["in.txt"]


def test_everything_may_be_ignored_but_a_few_kinds(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", content="*\n!*/\n!*.md\n")
    write(tmp_path, "a.md", "a.txt", "sub/b.md", "sub/b.txt")
    assert found(tmp_path) == ["a.md", "sub/b.md"]


@pytest.mark.parametrize("nonsense", ["!", "a\\", "[z-a]", "\\"])
def test_a_pattern_that_makes_no_sense_costs_that_pattern_only(tmp_path: Path, nonsense: str) -> None:
    write(tmp_path, ".gitignore", content=f"{nonsense}\n*.log\n")
    write(tmp_path, "a.log", "a.txt")
    assert found(tmp_path) == ["a.txt"]


def test_a_byte_order_mark_and_carriage_returns_change_no_rule(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbf*.log\r\n*.tex\r\n")
    write(tmp_path, "a.log", "a.tex", "a.txt")
    assert found(tmp_path) == ["a.txt"]


def test_an_ignore_file_that_cannot_be_one_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").mkdir()
    os.mkfifo(tmp_path / ".searchkitignore")
    write(tmp_path, "a.txt")
    assert found(tmp_path) == ["a.txt"]


def test_links_are_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, "secret.txt")
    root = tmp_path / "root"
    write(root, "own.txt", "sub/own.txt")
    (root / "file-link.txt").symlink_to(outside / "secret.txt")
    (root / "folder-link").symlink_to(outside)
    (root / "sub/loop").symlink_to(root)
    (root / "broken").symlink_to(root / "nowhere")
    entries = {entry.relative: entry for entry in discover(root) if isinstance(entry, FoundFile)}
    assert [name for name, entry in entries.items() if not entry.kind] == ["own.txt", "sub/own.txt"]
    assert {name for name, entry in entries.items() if entry.kind == "link"} == {
        "file-link.txt",
        "folder-link",
        "sub/loop",
        "broken",
    }


def test_a_root_that_is_a_link_is_the_folder_it_leads_to(tmp_path: Path) -> None:
    write(tmp_path / "real", "a.txt")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert found(tmp_path / "link") == ["a.txt"]


def test_what_is_no_file_is_named_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    write(tmp_path, "a.txt")
    kinds = {entry.relative: entry.kind for entry in discover(tmp_path) if isinstance(entry, FoundFile)}
    assert kinds == {"a.txt": "", "pipe.txt": "pipe", "socket": "socket"}


def test_a_searchkitignore_brings_hidden_files_back_and_a_gitignore_does_not(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", content="!.private/\n!.env\n")
    write(tmp_path, ".searchkitignore", content="!.github/\n")
    write(tmp_path, ".private/a.txt", ".env", ".github/b.md", ".github/.c.md", ".git/config", "d.txt")
    assert found(tmp_path) == ["d.txt", ".github/.c.md", ".github/b.md"]


def test_the_rules_of_the_repository_around_a_root_hold(tmp_path: Path) -> None:
    write(tmp_path, ".git/HEAD", "docs/api/a.md", "docs/api/build/b.md", "docs/api/draft.md", "docs/api/c.log")
    write(tmp_path, ".gitignore", content="build/\n/docs/api/draft.md\n")
    write(tmp_path, "docs/.gitignore", content="*.log\n")
    assert found(tmp_path / "docs/api") == ["a.md"]


def test_a_root_that_git_ignores_is_wanted_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, ".git/HEAD", "notes/a.md", "notes/b.log")
    write(tmp_path, ".gitignore", content="notes/\n*.log\n")
    assert found(tmp_path / "notes") == ["a.md", "b.log"]


def test_names_that_are_not_utf8_come_back_as_they_were(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/gr\xfc\xdfe"
    os.mkdir(folder)  # noqa: PTH102  # the name is bytes
    with open(folder + b"/caf\xe9.txt", "wb") as file:  # noqa: PTH123
        file.write(b"x")
    (entry,) = discover(tmp_path)
    assert isinstance(entry, FoundFile)
    entry.relative.encode("utf-8")
    back = tmp_path / path_from_text(entry.relative)
    assert os.fsencode(back) == folder + b"/caf\xe9.txt"
    assert back.read_bytes() == b"x"
    assert path_to_text(path_from_text(entry.relative)) == entry.relative


def test_rules_hold_for_names_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"caf\xe9.txt\n*.log\n")
    for name in (b"caf\xe9.txt", b"th\xe9.txt", b"th\xe9.log"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    assert [os.fsencode(path_from_text(name)) for name in found(tmp_path)] == [b"th\xe9.txt"]


def test_excluded_paths_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "state/index.txt", "state2/b.txt", "c.txt")
    excluded = frozenset((tmp_path / "state", tmp_path / "c.txt"))
    assert found(tmp_path, excluded) == ["a.txt", "state2/b.txt"]


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Path]]:
    """Folders that the system does not list; the tests may run as a user who may list all."""
    folders: set[Path] = set()
    scandir = os.scandir

    def refuse_locked(path: str) -> Any:
        if Path(path) in folders:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse_locked)
    yield folders


def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_is_found(tmp_path: Path, locked: set[Path]) -> None:
    write(tmp_path, "a/locked/x.txt", "a/y.txt", "b/z.txt")
    locked.add(tmp_path / "a/locked")
    entries = [entry for entry in discover(tmp_path) if not isinstance(entry, LeftOut)]
    assert [entry.relative for entry in entries] == ["a/y.txt", "a/locked", "b/z.txt"]
    assert entries[1] == UnreadableFolder(
        tmp_path / "a/locked", "a/locked", "folder cannot be read (Permission denied)"
    )


def test_a_root_that_cannot_be_listed_is_an_error(tmp_path: Path, locked: set[Path]) -> None:
    locked.add(tmp_path)
    with pytest.raises(UsageError, match=r"cannot be read \(Permission denied\)"):
        list(discover(tmp_path))


def test_a_root_that_is_missing_or_a_file_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "file.txt")
    for root in (tmp_path / "missing", tmp_path / "file.txt"):
        with pytest.raises(UsageError, match="Nothing of it was changed"):
            list(discover(root))


def left_out(root: Path) -> dict[str, tuple[LeftOutRule, str]]:
    """(rule, pattern) by path below the root."""
    return {
        each.path.relative_to(root).as_posix(): (each.rule, each.pattern) for each in left_out_of(root, frozenset())
    }


def test_what_is_left_out_is_named_with_its_rule(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", content="*.pdf\nprivate/\n")
    write(tmp_path, "sub/.searchkitignore", content="old*\n")
    names = (
        "lease.pdf",
        "private/safe.txt",
        ".notes/todo.md",
        "node_modules/a.js",
        "id_rsa",
        "safe.kdbx",
        "Chrome Passwords.csv",
        "sub/old.md",
        "kept.md",
    )
    write(tmp_path, *names)
    write(tmp_path, "Mail/cur/1.host:2,ST", "Mail/cur/2.host:2,S", "Mail/new/3.host")
    assert left_out(tmp_path) == {
        "lease.pdf": (LeftOutRule.IGNORED, "*.pdf"),
        "private": (LeftOutRule.IGNORED, "private/"),
        ".notes": (LeftOutRule.HIDDEN, ""),
        "node_modules": (LeftOutRule.LEFTOVER, "node_modules/"),
        "id_rsa": (LeftOutRule.SECRET, "id_rsa"),
        "safe.kdbx": (LeftOutRule.SECRET, "*.kdbx"),
        "Chrome Passwords.csv": (LeftOutRule.SECRET, "Chrome Passwords.csv"),
        "sub/old.md": (LeftOutRule.IGNORED, "old*"),
        "Mail/cur/1.host:2,ST": (LeftOutRule.DELETED_MAIL, ""),
    }
    assert found(tmp_path) == ["kept.md", "Mail/cur/2.host:2,S", "Mail/new/3.host"]


def test_the_line_that_is_named_brings_it_back(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", content="*.pdf\nprivate/\n!x\n")
    write(tmp_path, "sub/.gitignore", content="*.md\n")
    write(tmp_path, "sub/deep/.searchkitignore", content="/a\\[1].txt\n")
    names = (
        "lease.pdf",
        "private/safe.txt",
        ".notes/todo.md",
        ".x[1]#.md",
        "a/.hidden file",
        "node_modules/a.js",
        "id_rsa",
        "b/id_rsa",
    )
    write(tmp_path, *names, "sub/a.md", "sub/deep/a[1].txt", "sub/deep/b.md")
    for _ in range(len(names) + 4):
        remaining = list(left_out_of(tmp_path, frozenset()))
        if not remaining:
            break
        with (remaining[0].into / ".searchkitignore").open("a") as file:
            file.write(f"{remaining[0].line}\n")
    assert remaining == []
    assert {*names, "sub/a.md", "sub/deep/a[1].txt", "sub/deep/b.md"} <= set(found(tmp_path))


def git_index(version: int, *names: str) -> bytes:
    """A git index as git writes it, with nothing but names."""
    content = struct.pack(">4sII", b"DIRC", version, len(names))
    previous = b""
    for name in sorted(name.encode() for name in names):
        entry = bytes(60) + struct.pack(">H", min(len(name), 0xFFF))
        if version == 4:
            common = next((at for at, pair in enumerate(zip(previous, name, strict=False)) if pair[0] != pair[1]), 0)
            content += entry + _packed(len(previous) - common) + name[common:] + b"\0"
            previous = name
        else:
            content += entry + name + b"\0" * (8 - (62 + len(name)) % 8)
    return content


def _packed(value: int) -> bytes:
    packed = [value & 0x7F]
    while value := value >> 7:
        value -= 1
        packed.append(0x80 | (value & 0x7F))
    return bytes(reversed(packed))


TRACKED = ("minutes/draft.md", "private/a/letter.txt", "private/" + "x" * 150 + ".txt", "a.md")


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("below", ["", "project/"])
def test_what_git_tracks_is_not_ignored(tmp_path: Path, version: int, below: str) -> None:
    repository = tmp_path / below
    write(repository, ".gitignore", content="private/\nminutes/draft.md\n*.pdf\n")
    write(repository, *TRACKED, "private/safe.txt", "private/a/safe.txt", "lease.pdf", ".git/HEAD")
    (repository / ".git/index").write_bytes(git_index(version, *TRACKED))
    assert sorted(found(tmp_path)) == sorted(f"{below}{name}" for name in TRACKED)
    assert set(found(repository / "private")) == {"a/letter.txt", "a/safe.txt", "safe.txt", "x" * 150 + ".txt"}  # named


@pytest.mark.parametrize("content", [b"", b"DIRC", git_index(2, "a.md")[:40], git_index(4, "a.md")[:75], bytes(500)])
def test_a_damaged_git_index_tracks_nothing(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, ".gitignore", content="a.md\n")
    write(tmp_path, "a.md", "b.md", ".git/HEAD")
    (tmp_path / ".git/index").write_bytes(content)
    assert found(tmp_path) == ["b.md"]


def test_a_worktree_has_its_index_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "tree", ".gitignore", content="a.md\n")
    write(tmp_path / "tree", "a.md", "b.md")
    write(tmp_path, "git/HEAD")
    (tmp_path / "tree/.git").write_text("gitdir: ../git\n")
    (tmp_path / "git/index").write_bytes(git_index(2, "a.md"))
    assert found(tmp_path / "tree") == ["a.md", "b.md"]


def test_a_placeholder_of_a_cloud_stands_for_its_file(tmp_path: Path) -> None:
    write(tmp_path, "a/.report.pdf.icloud", "a/x.md")
    one, other = [entry for entry in discover(tmp_path) if isinstance(entry, FoundFile)]
    assert (one.relative, one.kind, one.path) == ("a/report.pdf", OFFLINE, tmp_path / "a/report.pdf")
    assert (other.relative, other.kind) == ("a/x.md", "")
    assert left_out(tmp_path) == {"a/report.pdf": (LeftOutRule.OFFLINE, "")}
