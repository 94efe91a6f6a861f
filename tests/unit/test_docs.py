"""The documents against the code: what they name exists, and what follows from the code is as it would be written now."""

import ast
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from docs import generate
from searchkit.cli.main import cli
from searchkit.config import load_settings
from searchkit.home import Home
from tests.support.files import ROOT

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("examples/*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
    ],
    key=lambda page: page.as_posix(),
)
BESIDE_ROOT = ("", "searchkit", "indexes/searchkit_indexes", "tui/searchkit_tui")
FOREIGN_OPTIONS = {
    "--add-host",  # docker's
    "--flag",  # a word in a query
    "--no-deps",  # pip's
}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 200


def test_every_page_that_the_code_names_exists() -> None:
    code = [path for place in (*BESIDE_ROOT[1:], "benchmarks") for path in (ROOT / place).rglob("*.py")]
    pages = {page for path in code for page in re.findall(r"docs/[\w/.-]+\.md", path.read_text("utf-8"))}
    assert {page for page in pages if not (ROOT / page).is_file()} <= {"docs/lease.md", "docs/notes/a.md"}  # examples


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fences(page: Path, *languages: str) -> list[str]:
    return [text for language, text in FENCE.findall(page.read_text("utf-8")) if language in languages]


def inline_code(page: Path) -> list[str]:
    return INLINE.findall(FENCE.sub("", page.read_text("utf-8")))


def test_the_tree_shows_the_packages_as_they_are() -> None:
    page = generate.ARCHITECTURE.read_text("utf-8")
    assert generate.with_tree(page) == page, "run: make docs"
    assert all(
        f"\n  {path.name}" in page
        for path in (ROOT / "searchkit").iterdir()
        if path.suffix == ".py" and path.stem != "__init__"
    )


def test_each_command_has_its_manual_page() -> None:
    there = {path.name: path.read_text("utf-8") for path in generate.MANUAL.iterdir()}
    assert there == generate.manual_pages(), "run: make docs"


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff")
def test_manual_pages_are_formatted_without_a_warning() -> None:
    pages = sorted(map(str, generate.MANUAL.iterdir()))
    command = ["groff", "-man", "-Tutf8", "-ww", "-rLL=200n", *pages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout).replace("\u2010", "-")
    for text in ("--no-fold", 'searchkit search -0 --no-weak "last year\'s invoices" | xargs -0 ls -l', r"\t is a tab"):
        assert text in shown


def test_the_commands_page_is_the_help_of_the_commands() -> None:
    assert generate.COMMANDS.read_text("utf-8") == generate.commands_page(), "run: make docs"


@pytest.mark.parametrize("name", ["docs/architecture.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_path_that_is_named_exists(name: str) -> None:
    paths = [code for code in inline_code(ROOT / name) if re.fullmatch(r"[\w./-]+(/|\.(py|md|toml|txt))", code)]
    assert len(paths) > 5
    missing = [path for path in paths if not any((ROOT / place / path).exists() for place in BESIDE_ROOT)]
    # What the data directory or a checkout's owner has, and the repository has not.
    assert set(missing) <= {"config.toml"}


def test_every_class_that_the_architecture_names_exists() -> None:
    source = "\n".join(path.read_text("utf-8") for place in BESIDE_ROOT[1:] for path in (ROOT / place).rglob("*.py"))
    classes = set(re.findall(r"^class (\w+)", source, re.MULTILINE))
    words = {code for code in inline_code(generate.ARCHITECTURE) if re.fullmatch(r"(?:[A-Z][a-z]+){2,}", code)}
    assert words <= classes


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if link.startswith(("http://", "https://", "../blob/")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def command_lines(page: Path) -> Iterator[str]:
    """Find text that begins with `searchkit`, in blocks and in prose; alternatives a|b are not expanded."""
    for block in fences(page, "", "bash", "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"(?:\$ |\.venv/bin/)?(searchkit(?: .*)?)$", line):
                yield found[1].partition("  #")[0]
    for code in inline_code(page):
        if code == "searchkit" or code.startswith("searchkit "):
            yield code


def check_command_line(line: str) -> None:
    """Raise AssertionError for a command or an option that does not exist."""
    words = shlex.split(re.sub(r"[\[\]…]", " ", line.replace("\\|", "|")), comments=True)[1:]
    words = words[words[:1] == ["help"] :]  # searchkit help search: any command may follow
    contexts = [click.Context(cli, info_name="searchkit", **cli.context_settings)]
    for position, word in enumerate(words):
        command = contexts[-1].command
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = [command.get_command(contexts[-1], name) for name in word.split("|")]
            assert None not in found, f"no command {word!r} in: {line}"
            contexts.append(click.Context(found[0] or cli, contexts[-1], word))
        elif re.match(r"--?[A-Za-z]", word) and "--" not in words[:position]:
            known = {
                name
                for context in contexts
                for each in context.command.get_params(context)
                for name in [*each.opts, *each.secondary_opts]
            }
            assert word.partition("=")[0] in known, f"no option {word!r} in: {line}"


@pytest.mark.parametrize("page", [page for page in PAGES if any(command_lines(page))], ids=named)
def test_every_command_line_can_be_typed(page: Path) -> None:
    for line in command_lines(page):
        if not line.startswith("searchkit listens"):
            check_command_line(line)


def test_a_command_line_that_cannot_be_typed_is_noticed() -> None:
    for wrong in ("searchkit serach x", "searchkit index ~/docs --wacth", "searchkit train adapter docs --nothing=1"):
        with pytest.raises(AssertionError):
            check_command_line(wrong)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_option_that_is_named_exists(page: Path) -> None:
    if named(page).startswith("docs/benchmarks") or page.name == "CHANGELOG.md":  # commands of the past
        return
    known = set(re.findall(r"--[a-z][\w-]*", generate.COMMANDS.read_text("utf-8"))) | FOREIGN_OPTIONS
    ours = [code for code in inline_code(page) if not code.startswith("python -m benchmarks")]
    assert {word for code in ours for word in re.findall(r"(?<![\w-])--[a-z][\w-]+", code)} <= known


@pytest.mark.parametrize("page", [page for page in PAGES if fences(page, "toml")], ids=named)
def test_every_block_of_settings_is_accepted(page: Path, tmp_path: Path) -> None:
    for block in fences(page, "toml"):
        (tmp_path / "config.toml").write_text(block, "utf-8")
        load_settings(Home(tmp_path))


@pytest.mark.parametrize("page", [page for page in PAGES if fences(page, "python")], ids=named)
def test_what_python_blocks_import_from_searchkit_exists(page: Path) -> None:
    for block in fences(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "searchkit":
                module = import_module(node.module or "")
                assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_make_targets_and_extras_that_are_named_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = page.read_text("utf-8")
    targets = {
        target
        for code in [*inline_code(page), *fences(page, "")]
        for target in re.findall(r"^make ([a-z][\w-]*)", code, re.MULTILINE)
    }
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), targets
    extras = {
        extra for names in re.findall(r"(?:searchkit-local|\.)\[([\w,-]+)\]'", text) for extra in names.split(",")
    }
    assert extras <= set(project["optional-dependencies"])


def test_the_keys_of_the_terminal_ui_are_documented_by_name() -> None:
    from searchkit_tui.settings.keys import APP_KEYS, SEARCH_KEYS

    page = (ROOT / "docs" / "tui.md").read_text("utf-8")
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| ([^|]*)\|$", page, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert documented == {str(binding.id) for binding in (*SEARCH_KEYS, *APP_KEYS)}


def test_the_tools_of_the_mcp_server_are_documented() -> None:
    from searchkit.serve.mcp.tools import TOOLS

    page = (ROOT / "docs" / "mcp.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| `({[^|]+})` \|$", page, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", arguments)) for name, arguments, _ in rows} == {
        tool.name: {argument.name for argument in tool.arguments} for tool in TOOLS
    }
    for (_, _, answer), tool in zip(rows, TOOLS, strict=True):
        fields = set(re.findall(r"'(\w+)': {", str(tool.output))) - {"properties", "items", "additionalProperties"}
        documented = set(re.findall(r'"(\w+)"', answer))
        assert documented <= fields if "…" in answer else documented == fields


def test_the_projects_addresses_are_whole_and_nobody_elses() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    assert urls
    assert all(url.startswith("https://") and "example" not in url for url in urls.values())
