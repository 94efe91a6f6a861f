"""Answers for people and for programs, and the options that `ask` and `chat` share."""

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from searchkit.cli.filter_options import filter_options
from searchkit.cli.hits import hit_as_json
from searchkit.cli.output import print_json, say
from searchkit.display import place, plural, printable
from searchkit.types import Hit

if TYPE_CHECKING:
    from searchkit.answer.answerer import Answerer
    from searchkit.answer.grounding.answer_stream import AnswerReport, AnswerStream

_SHOWN_CHARACTERS = 500
_OPTIONS = (
    click.option("-c", "--collection", "collections", multiple=True, help="Answer from this collection only; may be repeated."),
    click.option("-k", default=8, show_default=True, type=click.IntRange(1, 100), help="Passages to answer from, at most."),
    filter_options,
    click.option(
        "--llm", default="", metavar="URL|FILE.gguf|embedded",
        help="The model server to ask, a model file to run here, or the embedded model; by default the one configured or found.",
    ),
    click.option("--llm-model", "llm_model", default="", metavar="NAME", help="Which of the server's models answers."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object per answer (fields: see docs/json.md)."),
)  # fmt: skip


def answer_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_and_say(open_one: Callable[[], "Answerer"]) -> "Answerer":
    """The answerer; says which model is asked, and where text goes that leaves the machine."""
    answerer = open_one()
    model = answerer.model
    if model.is_remote:
        say(f"Your question and passages of your documents leave this machine: they are sent to {model.where}.")
    return answerer


def stream_out(stream: "AnswerStream", *, is_silent: bool) -> bool:
    """Print an answer as it comes, or only wait for it: whether it came to its end. Ctrl-C stops it.

    Raises LlmError where the server goes away.
    """
    has_begun = False
    try:
        for piece in stream:
            if not is_silent:
                has_begun = True
                click.echo(printable(piece), nl=False)
    except KeyboardInterrupt:
        stream.stop()
        return False
    finally:
        if has_begun:
            click.echo()
    return True


def show(question: str, searched_for: str, answerer: "Answerer", stream: "AnswerStream", *, as_json: bool) -> bool:
    """An answer, as it comes, with its sources and what the checks have found; whether it came to its end.

    Where the server goes away in the middle, what came is shown with its sources before the LlmError.
    """
    try:
        return stream_out(stream, is_silent=as_json)
    finally:
        if report := stream.report:
            if as_json:
                print_json([answer_as_json(question, searched_for, answerer, stream, report)])
            else:
                print_sources(stream, report)
            say_what_was_checked(stream, report)


def print_sources(stream: "AnswerStream", report: "AnswerReport") -> None:
    """The cited sources; all that were read where none is cited."""
    cited = report.cited or tuple(range(1, len(stream.sources) + 1))
    if not stream.sources or not report.text:  # stopped before a word came
        return
    click.echo()
    if not report.cited:
        say("The answer cites no source. It was to be taken from:")
    for number in cited:
        click.echo(source_line(number, stream.sources[number - 1]))


def source_line(number: int, hit: Hit) -> str:
    """`[1] notes/lease.md:12  Lease › Term`."""
    title = f"  {printable(hit.title)}" if hit.title else ""
    return f"{click.style(f'[{number}]', bold=True)} {click.style(place(hit), fg='cyan')}{title}"


def passage_text(hit: Hit) -> str:
    """The beginning of a source, indented."""
    text = " ".join(printable(hit.text).split())
    return textwrap.indent(textwrap.fill(textwrap.shorten(text, _SHOWN_CHARACTERS, placeholder=" …"), 94), "    ")


def say_what_was_checked(stream: "AnswerStream", report: "AnswerReport") -> None:
    """Tell what the checks have found amiss."""
    if report.removed:
        sources = plural(len(stream.sources), "source")
        say(f"Removed {', '.join(report.removed)} from the answer: it was given {sources}.")
    if report.unsupported:
        is_are = "sentence is" if len(report.unsupported) == 1 else "sentences are"
        say(
            f"{len(report.unsupported)} {is_are} marked (unsupported): no source seems to say so. Look before you rely on it."
        )
    if report.is_unchecked:
        say("Nothing in this answer could be checked. Look at its sources before you rely on it.")
    if report.ending == "length":
        say("The answer was cut at the model's limit. Ask for a part of it.")


def answer_as_json(
    question: str, searched_for: str, answerer: "Answerer", stream: "AnswerStream", report: "AnswerReport"
) -> dict[str, object]:
    """The documented object (docs/json.md)."""
    return {
        "question": question,
        "searched_for": searched_for,
        "answer": report.text,
        "ending": report.ending,
        "model": answerer.model.name,
        "server": answerer.model.where,
        "remote": answerer.model.is_remote,
        "window_tokens": answerer.window.tokens,
        "prompt_tokens": stream.context.tokens if stream.context else 0,
        "sources": sources_as_json(stream.sources, report.cited),
        "sentences": [
            {
                "text": sentence.text,
                "citations": list(sentence.citations),
                "added_citations": list(sentence.added),
                "supported": sentence.is_supported,
            }
            for sentence in report.sentences
        ],
        "removed_citations": list(report.removed),
    }


def sources_as_json(sources: Sequence[Hit], cited: Sequence[int]) -> list[dict[str, object]]:
    """Sources with their numbers, and whether they are cited."""
    return [
        {"number": number, "cited": number in cited, **_without_rank(hit_as_json(hit, number))}
        for number, hit in enumerate(sources, 1)
    ]


def _without_rank(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name != "rank"}
