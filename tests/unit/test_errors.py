"""Every error is one of a tree; its message says what happened, and each front end words what can be done about it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import searchkit
from searchkit import display, errors
from searchkit.cli.main import _COMMANDS
from searchkit.daemon.protocol import error_line, read_answer_line
from searchkit.errors import (
    Action,
    CollectionNotFoundError,
    ModelNotFoundError,
    NothingIndexedError,
    Option,
    Remedy,
    SearchkitError,
    UnreadableFileError,
    UsageError,
)
from searchkit.serve.http import error_responses as http
from searchkit.serve.mcp import output as mcp
from searchkit_tui.rendering import errors as ui

PACKAGE = Path(searchkit.__file__).parent
OURS = rf"\bsearchkit ({'|'.join(_COMMANDS)})\b|(?<!\w)--[a-z]"
NAMES_A_COMMAND = re.compile(rf"{OURS}|\bpip (un)?install\b|\bollama pull\b")


def full(action: Action) -> Remedy:
    """A remedy of an action with all the arguments that it may take."""
    return Remedy(
        action,
        option=Option.LLM,
        setting="context",
        collection="my docs",
        path=Path("/a b/c"),
        query="it's",
        model="small",
        extra="train",
    )


def test_the_command_line_says_for_each_action_what_to_run() -> None:
    told = {action: display.command_line(full(action)) for action in Action}
    assert told.pop(Action.ADVICE) == "Try again."
    assert told[Action.IMPORT_MODEL] == "Import it again: searchkit models import FOLDER --name small"
    assert all(re.fullmatch(r"[A-Z][\w' ]+: .+", text) for text in told.values()), told
    assert told[Action.INDEX_FOLDER] == "Index the whole folder: searchkit index '/a b/c' -c 'my docs'"
    assert told[Action.SEARCH] == """Say what you are looking for: searchkit search 'it'"'"'s'"""


@pytest.mark.parametrize("option", Option)
def test_the_command_line_knows_each_option(option: Option) -> None:
    remedy = Remedy(Action.CHANGE_OPTION, option=option, sentence="Choose another")
    assert re.fullmatch(r"Choose another: --?[a-z][-\w =.]*", display.command_line(remedy))


@pytest.mark.parametrize("action", Action)
def test_a_client_over_http_is_told_no_command(action: Action) -> None:
    said = http.error_text(SearchkitError("It failed.", remedy=full(action)))
    assert said.startswith("It failed. ")
    assert not NAMES_A_COMMAND.search(said)


@pytest.mark.parametrize("action", Action)
def test_a_model_is_told_what_it_or_the_user_can_do(action: Action) -> None:
    said = mcp.error_text(SearchkitError("It failed.", remedy=full(action)))
    assert re.match(r"It failed\. [A-Z]", said)
    assert "The user can " in said or not NAMES_A_COMMAND.search(said)


BY_THE_UI = r"searchkit (index|collections|status|search|ask|models use|eval retrieval)\b"


@pytest.mark.parametrize("action", Action)
def test_the_ui_names_no_command_for_what_it_does_itself(action: Action) -> None:
    said = ui.error_text(SearchkitError("It failed.", remedy=full(action)))
    assert re.match(r"It failed\. [A-Z]", said)
    assert not re.search(BY_THE_UI, said)


def test_what_options_name_is_a_setting_in_the_ui_or_left_out() -> None:
    other = Remedy(Action.CHANGE_OPTION, option=Option.LLM, sentence="Name another")
    alone = Remedy(Action.CHANGE_OPTION, option=Option.NO_LLM, sentence="See the sources alone")
    error = SearchkitError("There is none.", remedy=other | alone)
    assert ui.error_text(error) == "There is none. Name another: base_url in [llm] of config.toml"


def test_the_alternatives_follow_one_another() -> None:
    remedy = (
        Remedy(Action.VERIFY, collection="docs") | Remedy(sentence="HF_HOME may be wrong.") | Remedy(sentence="Wait.")
    )
    error = SearchkitError("It is damaged", remedy=remedy)
    assert [choice.action for choice in remedy.choices()] == [Action.VERIFY, Action.ADVICE, Action.ADVICE]
    assert (
        display.error_text(error)
        == "It is damaged. See what is wrong: searchkit verify -c docs; or HF_HOME may be wrong; or wait."
    )


def test_an_error_without_a_remedy_is_its_message_everywhere() -> None:
    error = UsageError("There is no day 32.")
    assert {say(error) for say in (str, display.error_text, http.error_text, mcp.error_text)} == {"There is no day 32."}


def test_nothing_indexed_says_in_each_front_ends_terms_how_to_begin() -> None:
    error = NothingIndexedError()
    assert str(error) == "Nothing is indexed yet."
    assert display.error_text(error) == f"{error} Index a folder: searchkit index FOLDER"
    assert http.error_text(error) == f"{error} Where the server runs: index a folder."
    assert mcp.error_text(error) == f"{error} The user can index a folder: searchkit index FOLDER"


def test_the_advice_on_a_file_is_text_to_be_stored() -> None:
    assert UnreadableFileError("a scan", remedy="Save it again.").advice == "Save it again."
    assert UnreadableFileError("a scan").advice == ""
    assert UnreadableFileError("a scan").remedy is None


@pytest.mark.parametrize(
    "error",
    [
        NothingIndexedError(),
        CollectionNotFoundError("None."),
        ModelNotFoundError(
            "None.",
            remedy=Remedy(Action.CHANGE_OPTION, option=Option.LLM, path=Path("/a\udcff")) | Remedy(sentence="Wait."),
        ),
    ],
)
def test_an_error_with_its_remedy_crosses_to_another_process(error: SearchkitError) -> None:
    read = read_answer_line(error_line(error))
    assert type(read) is type(error)
    assert str(read) == str(error)
    assert read.remedy == error.remedy


def literals(tree: ast.AST) -> list[str]:
    """The texts in a part of a module, and the parts of those that are put together."""
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def without_docstrings(module: ast.Module) -> ast.Module:
    """A module without the texts that stand alone."""
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not is_docstring(part)]
    return module


def is_docstring(node: ast.stmt) -> bool:
    """True if a statement is a text alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def modules(*, excluding: str = "") -> Iterator[tuple[Path, ast.Module]]:
    """The modules of searchkit and of the UI, parsed."""
    for root in (PACKAGE, PACKAGE.parent / "tui"):
        for path in sorted(root.rglob("*.py")):
            if not excluding or excluding not in path.parts:
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_every_error_of_ours_is_in_the_tree_which_its_module_draws() -> None:
    # Signals that do not leave the code that raises them.
    of_their_own = {
        "_SystemRoleError",
        "DamagedWeightsError",
        "ForbiddenError",
        "FormRefusedError",
        "JobCancelledError",
    }
    found = {
        node.name
        for path, module in modules()
        if path != PACKAGE / "errors.py"
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)
    }
    assert found <= of_their_own
    tree = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    drawn = re.findall(r"^ {4}[│├└─ ]*(\w+Error)", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == sorted(tree)
    depth = {name: len(getattr(errors, name).__mro__) for name in drawn}
    indents = {
        name: line.index(name) for line in (errors.__doc__ or "").splitlines() for name in drawn if f" {name}" in line
    }
    assert all(indents[name] == 4 * (depth[name] - depth["SearchkitError"] + 1) for name in drawn)


# Modules that name commands or options of the command, and why they may.
NAME_COMMANDS = {
    "searchkit/display/__init__.py": "words remedies for the command line",
    "searchkit/embedding/sample.py": "has texts to embed, one of them about git",
    "searchkit/evaluate/speed/report.py": "says which command was measured",
    "searchkit/evaluate/speed/latency.py": "runs the command",
    "searchkit/ingest/extract/ocr.py": "runs tesseract",
    "searchkit/display/installation.py": "words the commands of pip, pipx and uv",
    "searchkit/serve/http/middleware/guards.py": "speaks to whoever runs the server",
    "searchkit/train/finetune/base.py": "writes the card of a model, which says what made it",
    "searchkit/train/init/result.py": "writes the card of a checkpoint, which says what made it",
    "tui/searchkit_tui/collections/dialogs.py": "the UI shows the first problems only",
    "tui/searchkit_tui/collections/status_text.py": "the UI counts what was left out, and does not list it",
    "tui/searchkit_tui/evaluation/choose_report.py": "the UI begins no file of judged queries",
    "tui/searchkit_tui/settings/external_viewer.py": "runs viewers",
    "tui/searchkit_tui/widgets/open_hit.py": "the UI has no list of opened hits",
}


def test_no_text_names_a_command_or_an_option_but_in_the_modules_that_are_to() -> None:
    naming = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path, module in modules(excluding="cli")
        if re.search(OURS, "\n".join(literals(without_docstrings(module))))
    }
    assert naming <= set(NAME_COMMANDS), naming - set(NAME_COMMANDS)


def test_no_message_of_an_error_names_a_command_of_another_program() -> None:
    for path, module in modules(excluding="cli"):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in vars(errors):
                message = " ".join(literals(node.args[0]))
                assert not NAMES_A_COMMAND.search(message), f"{path}:{node.lineno}: {message}"


def test_no_error_message_is_patched_up_afterwards() -> None:
    for path, module in modules():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "replace":
                text = ast.unparse(node.func.value)
                assert not re.search(r"str\(\w*error\w*\)|error_text\(|\.message\b", text), (
                    f"{path}: {ast.unparse(node)}"
                )
