"""`ask` and `chat` as processes of their own, with the small embedding model and a scripted server on loopback."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_llm import MODEL, FakeLlm, Script, fake_llm
from tests.support.files import SAMPLE_DOCS, write
from tests.support.homes import copied

pytestmark = [pytest.mark.minilm, pytest.mark.slow]
QUESTION = "error E07 after warming up"
SAID = "The level probe reports no water [1]."
Result = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def home(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which the sample documents are indexed."""
    return copied(samples, tmp_path_factory.mktemp("home"))


@pytest.fixture
def llm() -> Iterator[FakeLlm]:
    with fake_llm() as server:
        server.answers(SAID)
        yield server


def environment(home: Path, llm: FakeLlm) -> dict[str, str]:
    return {**os.environ, "SEARCHKIT_HOME": str(home), "SEARCHKIT_LLM_URL": llm.base, "COLUMNS": "100"}


def run(home: Path, llm: FakeLlm, *arguments: str, code: int = 0, typed: str = "") -> Result:
    command = [sys.executable, "-m", "searchkit", *arguments]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(home, llm), input=typed
    )
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result


def test_the_answer_comes_with_its_sources(home: Path, llm: FakeLlm) -> None:
    result = run(home, llm, "ask", QUESTION)
    answer, empty, source = result.stdout.splitlines()[:3]
    assert answer.startswith("The level probe")
    assert empty == ""
    assert source.startswith("[1] ")
    assert MODEL in result.stderr


def test_json_is_one_documented_object(home: Path, llm: FakeLlm) -> None:
    documented = (SAMPLE_DOCS.parent / "docs" / "json.md").read_text("utf-8")
    result = json.loads(run(home, llm, "ask", QUESTION, "--json").stdout)
    assert (result["question"], result["ending"], result["model"], result["remote"]) == (
        QUESTION,
        "complete",
        MODEL,
        False,
    )
    assert result["sources"][0]["number"] == 1
    for fields in (result, result["sources"][0], result["sentences"][0]):
        assert all(f"`{field}`" in documented for field in fields)
    context = json.loads(run(home, llm, "ask", QUESTION, "--json", "--no-llm").stdout)
    assert all(f"`{field}`" in documented for field in context)


def test_the_context_alone_asks_nobody(home: Path, llm: FakeLlm) -> None:
    result = run(home, llm, "ask", QUESTION, "--no-llm", "-k", "2")
    assert "<<SOURCE [1]" in result.stdout
    assert result.stdout.rstrip().endswith("with their numbers in brackets.")
    assert "[1] " in result.stderr
    assert llm.asked == []


def test_nothing_relevant_is_no_error_and_asks_nobody(home: Path, llm: FakeLlm) -> None:
    result = run(home, llm, "ask", "who won the football world cup in 1998")
    assert "no answer was written" in result.stdout
    assert "searchkit search" in result.stderr
    assert llm.asked == []


def test_without_a_language_model_the_sentences_that_answer_are_quoted(home: Path, llm: FakeLlm) -> None:
    llm.base = "http://127.0.0.1:9"  # where nobody listens
    result = run(home, llm, "ask", QUESTION)
    quoted, *_, source = result.stdout.strip().splitlines()
    assert quoted.startswith("“") and quoted.endswith("” [1]")
    assert source.startswith("[")
    assert result.stderr.count("\n") == 1 and "No model server answers at http://127.0.0.1:9" in result.stderr
    assert json.loads(run(home, llm, "ask", QUESTION, "--json").stdout)["quoted"] is True
    talk = run(home, llm, "chat", typed="error E07\ngo on\n")
    assert "Looking for: error E07" in talk.stderr
    lines = [line for line in talk.stdout.splitlines() if line.startswith("“")]
    assert len(lines) == len(set(lines)) > 1


def test_answers_are_measured_on_questions_with_known_answers(home: Path, llm: FakeLlm, tmp_path: Path) -> None:
    llm.base = "http://127.0.0.1:9"
    known = {"question": QUESTION, "answers": ["E07"], "source": "Corvello-D2-operating-manual.pdf"}
    file = write(tmp_path / "questions.jsonl", json.dumps(known) + '\n{"question": "who won the world cup of 1998"}\n')
    result = run(home, llm, "eval", "answers", str(file))
    assert "2 questions, 1 with an answer" in result.stdout
    documented = (SAMPLE_DOCS.parent / "docs" / "json.md").read_text("utf-8")
    measured = json.loads(run(home, llm, "eval", "answers", str(file), "--json").stdout)
    assert measured["answers"][1]["refused"] is True and measured["right"] == 1.0
    for fields in (measured, measured["answers"][0]):
        assert all(f"`{field}`" in documented for field in fields)


def test_a_server_that_dies_is_told_after_what_came(home: Path, llm: FakeLlm) -> None:
    llm.scripts = [Script([SAID, " And ", "more"], drop_after=2)]
    result = run(home, llm, "ask", QUESTION, code=1)
    assert "The level probe" in result.stdout
    assert "[1] " in result.stdout
    assert "Error: The answer ends here" in result.stderr


def test_no_control_character_reaches_the_terminal(home: Path, llm: FakeLlm) -> None:
    llm.answers("\x1b[2J\x1b]0;owned\x07 ![x](https://evil.example/x) " + SAID)
    result = run(home, llm, "ask", QUESTION)
    assert "\x1b" not in result.stdout + result.stderr
    assert "https://" not in result.stdout


def test_another_machine_is_named_before_anything_is_sent(home: Path, llm: FakeLlm) -> None:
    write(home / "config.toml", '[llm]\nmodel = "m"\n')
    try:
        result = run(home, llm, "ask", QUESTION, "--llm", "http://192.0.2.1.invalid:9", code=1)
    finally:
        (home / "config.toml").unlink()
    assert "leave this machine: they are sent to http://192.0.2.1.invalid:9/v1" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ask", "x", "--llm", "ftp://x"], "is not an address of a model server"),
        (["ask", "x", "--llm-model", "gpt"], f"Choose from: {MODEL}"),
        (["ask", "x", "-c", "nope"], "No collection named 'nope'"),
        (["ask", " "], "The question is empty"),
        (["ask", "type:pdf since:2025"], "asks nothing. See what it finds: searchkit search 'type:pdf since:2025'"),
        (["ask", "x", "--llm", str(SAMPLE_DOCS / "notes" / "nights.txt")], "is a file, but not a model"),
    ],
)
def test_every_wrong_request_gets_one_clear_line(home: Path, llm: FakeLlm, arguments: list[str], message: str) -> None:
    result = run(home, llm, *arguments, code=1)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_there_is_to_ask_is_looked_at_before_a_model_is(tmp_path: Path, llm: FakeLlm) -> None:
    llm.base = "http://127.0.0.1:9"  # where nobody listens
    for arguments in (["ask", "when does the lease end"], ["chat"]):
        assert run(tmp_path, llm, *arguments, code=1).stderr == (
            "Error: Nothing is indexed yet. Index a folder: searchkit index FOLDER\n"
        )
    assert "Ask in plain words" in run(tmp_path, llm, "ask", code=2).stderr


def test_a_wrong_setting_is_refused(home: Path, llm: FakeLlm) -> None:
    write(home / "config.toml", '[llm]\nmodle = "m"\n')
    try:
        assert "Did you mean 'model'?" in run(home, llm, "ask", QUESTION, code=1).stderr
    finally:
        (home / "config.toml").unlink()


def test_a_conversation_goes_through_a_pipe(home: Path, llm: FakeLlm) -> None:
    llm.answers(SAID, "error E07 after warming up the machine", SAID)
    result = run(
        home, llm, "chat", typed=f"{QUESTION}\nand after warming up the machine?\n/sources\n/new\n/what\n/quit\nmore\n"
    )
    assert result.stdout.count("The level probe") >= 2
    assert "A new conversation." in result.stderr
    assert "/quit or Ctrl-D ends" in result.stderr
    assert len(llm.asked) == 3


def test_an_answer_that_rests_on_nothing_has_no_sources_to_show(home: Path, llm: FakeLlm) -> None:
    typed = "/sources\nwho won the football world cup in 1998\n/sources\n"
    talk = run(home, llm, "chat", typed=typed).stderr
    assert "There is no answer yet." in talk
    assert "The last answer is based on no source." in talk


def test_each_turn_is_a_json_object(home: Path, llm: FakeLlm) -> None:
    lines = run(home, llm, "chat", "--json", typed=f"{QUESTION}\n").stdout.splitlines()
    assert json.loads(lines[0])["searched_for"] == QUESTION


def test_an_error_ends_an_answer_and_not_the_conversation(home: Path, llm: FakeLlm) -> None:
    llm.scripts = [Script(status=500, error="out of memory"), Script([SAID])]
    result = run(home, llm, "chat", typed=f"{QUESTION}\n{QUESTION}\n")
    assert "out of memory" in result.stderr
    assert "The level probe" in result.stdout


def test_ctrl_c_stops_an_answer_and_ctrl_d_ends_the_conversation(home: Path, llm: FakeLlm) -> None:
    llm.scripts = [Script(["The level ", "probe ", "x"], hang_after=2), Script([SAID])]
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "searchkit", "chat"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment(home, llm), "TERM": "dumb"}
    )
    os.close(theirs)
    screen = _read_until(ours, b"> ")
    os.write(ours, f"{QUESTION}\n".encode())
    assert llm.hanging.wait(30)
    screen += _read_until(ours, b"level")
    process.send_signal(signal.SIGINT)
    screen += _read_until(ours, b"Stopped.")
    if not screen.endswith(b"> "):
        screen += _read_until(ours, b"> ")
    os.write(ours, b"\x04")
    assert process.wait(20) == 0
    os.close(ours)
    assert b"Traceback" not in screen


def test_ctrl_c_ends_ask_with_what_came(home: Path, llm: FakeLlm) -> None:
    llm.scripts = [Script([f"{SAID} And ", "the ", "x"], hang_after=2)]
    command = [sys.executable, "-m", "searchkit", "ask", QUESTION]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(home, llm)
    )
    assert llm.hanging.wait(30)
    assert process.stdout is not None
    first = process.stdout.read(9)
    process.send_signal(signal.SIGINT)
    rest, talk = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (first + rest).startswith("The level")
    assert "Stopped." in talk
    assert "Traceback" not in talk


def test_an_answer_that_is_stopped_before_a_word_says_no_more_than_that(home: Path, llm: FakeLlm) -> None:
    llm.scripts = [Script(["x"], hang_after=0)]
    command = [sys.executable, "-m", "searchkit", "ask", QUESTION]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(home, llm)
    )
    assert llm.hanging.wait(30)
    process.send_signal(signal.SIGINT)
    out, talk = process.communicate(timeout=20)
    assert (process.returncode, out.strip()) == (130, "")
    assert talk.splitlines()[1:] == ["Stopped."]


def _read_until(terminal: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        part = os.read(terminal, 4096)
        assert part, seen
        seen += part
    return seen
