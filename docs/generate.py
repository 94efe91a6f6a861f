"""Writes what of the documentation follows from the code: docs/commands.md, the manual pages, and the tree in docs/architecture.md.

`make docs` runs it; a test compares.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import click

from docs.manual import man_page, page_name

ROOT = Path(__file__).parents[1]
COMMANDS = ROOT / "docs" / "commands.md"
MANUAL = ROOT / "docs" / "man"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PACKAGES = (Path("searchkit"), Path("indexes/searchkit_indexes"), Path("tui/searchkit_tui"))
TREE_BEGINS, TREE_ENDS = "<!-- tree: make docs -->\n", "<!-- end of the tree -->\n"
_WIDTH = 100
_COLUMN = 26  # of the tree's annotations


def main() -> None:
    """Write all of them."""
    COMMANDS.write_text(commands_page(), "utf-8")
    MANUAL.mkdir(exist_ok=True)
    pages = manual_pages()
    for gone in {path.name for path in MANUAL.iterdir()} - pages.keys():
        (MANUAL / gone).unlink()
    for name, page in pages.items():
        (MANUAL / name).write_text(page, "utf-8")
    ARCHITECTURE.write_text(with_tree(ARCHITECTURE.read_text("utf-8")), "utf-8")


def commands_page() -> str:
    """docs/commands.md: the help of every command, in the order in which `searchkit --help` lists them."""
    sections = [f"## `{context.command_path}`\n\n```\n{context.get_help()}\n```\n" for context in _contexts(_root())]
    about = "The help of every command. This page is generated from it: change the command, then run `make docs`.\n"
    return "\n".join(["# Commands\n", about, *sections])


def manual_pages() -> dict[str, str]:
    """docs/man: a manual page for each command, by the names of their files."""
    return {page_name(context): man_page(context) for context in _contexts(_root())}


def _root() -> click.Context:
    from searchkit.cli.main import cli

    return click.Context(cli, info_name="searchkit", terminal_width=_WIDTH, **cli.context_settings)


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None and not command.hidden:
                yield from _contexts(click.Context(command, context, name, terminal_width=_WIDTH))


def with_tree(page: str) -> str:
    """The page with the tree of the packages as it is now between its two marks."""
    before, _, rest = page.partition(TREE_BEGINS)
    _, _, after = rest.partition(TREE_ENDS)
    lines = [line for package in PACKAGES for line in _package_lines(ROOT / package, str(package), 0)]
    return "".join([before, TREE_BEGINS, "```\n", *lines, "```\n", TREE_ENDS, after])


def _package_lines(folder: Path, name: str, depth: int) -> Iterator[str]:
    """A package with its first sentence; below it, its modules by name (annotated at the top level) and its packages."""
    yield _line(f"{name}/", _summary(folder / "__init__.py"), depth)
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    if depth == 0:
        yield from (_line(path.name, _summary(path), 1) for path in modules)
    else:
        yield from _wrapped([path.stem for path in modules])
    for package in sorted(path.parent for path in folder.glob("*/__init__.py")):
        yield from _package_lines(package, package.name, depth + 1)


def _line(name: str, summary: str, depth: int) -> str:
    return f"{'  ' * depth + name:<{_COLUMN}} {summary}\n"


def _wrapped(names: list[str]) -> Iterator[str]:
    """Names beside one another, indented below their package's annotation."""
    indent = " " * (_COLUMN + 1) + "· "
    line = ""
    for name in names:
        if len(indent) + len(line) + len(name) + 1 > _WIDTH + _COLUMN:
            yield f"{indent}{line.rstrip()}\n"
            line = ""
        line += f"{name} "
    if line:
        yield f"{indent}{line.rstrip()}\n"


def _summary(path: Path) -> str:
    """The first sentence of a module's docstring, on one line and without its full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


if __name__ == "__main__":
    main()
