"""Answers for people and for programs, and the options that `ask` and `chat` share."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import collections_option
from searchkit.cli.filter_options import FILTERS
from searchkit.cli.options import option
from searchkit.cli.output import print_json, say
from searchkit.display import place, printable
from searchkit.search.query.filters import Filters
from searchkit.types import Hit

if TYPE_CHECKING:
    from searchkit.answer.answerer import Answerer
    from searchkit.answer.grounding.answer_stream import AnswerReport, AnswerStream
    from searchkit.library import Library
    from searchkit.search.request import SearchRequest

_SHOWN_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """The options that `ask` and `chat` share."""

    collections: Annotated[tuple[str, ...], collections_option("Answer from")]
    k: Annotated[
        int,
        option(
            "-k", default=8, show_default=True, type=click.IntRange(1, 100), help="Passages to answer from, at most."
        ),
    ]
    filters: Annotated[Filters, FILTERS]
    llm: Annotated[
        str,
        option(
            "--llm",
            default="",
            metavar="URL|FILE.gguf|embedded",
            help="The model server to ask, a model file to run here, or the embedded model; by default the one configured"
            " or found.",
        ),
    ]
    llm_model: Annotated[
        str, option("--llm-model", default="", metavar="NAME", help="Which of the server's models answers.")
    ]
    as_json: Annotated[
        bool, option("--json", is_flag=True, help="Print one JSON object per answer (fields: searchkit docs json).")
    ]

    def sources(self, question: str = "") -> "SearchRequest":
        """The search that finds the sources of an answer."""
        from searchkit.search.request import SearchRequest

        return SearchRequest(question, self.k, collections=self.collections, filters=self.filters)


def open_with_privacy_notice(library: "Library", request: AnswerRequest) -> "Answerer":
    """Open an answerer; if its model is on another machine, say where text is sent."""
    from searchkit.answer.answerer import open_answerer

    answerer = open_answerer(library, llm=request.llm, model=request.llm_model)
    if answerer.remote:
        say(f"Your question and passages of your documents leave this machine: they are sent to {answerer.server}.")
    return answerer


def stream_out(stream: "AnswerStream", *, is_silent: bool) -> bool:
    """Print an answer as it is written, or only wait for it; Ctrl-C stops it. Returns True if it was completed.

    Raises LlmError if the server stops answering.
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
    """Show an answer as it is written, with its sources and what the checks found. Returns True if it was completed.

    If the server stops in the middle, the part before is shown with its sources before the LlmError is raised.
    """
    try:
        return stream_out(stream, is_silent=as_json)
    finally:
        if report := stream.report:
            if as_json:
                print_json([answer_as_json(question, searched_for, answerer, stream, report)])
            else:
                print_sources(stream, report)
            for finding in stream.findings:
                say(finding)


def print_sources(stream: "AnswerStream", report: "AnswerReport") -> None:
    """Print the cited sources, or all that were given if none is cited."""
    cited = report.cited or tuple(range(1, len(stream.sources) + 1))
    if not stream.sources or not report.answer:  # stopped before the first word
        return
    click.echo()
    if not report.cited:
        say("The answer cites no source. It was given these:")
    for number in cited:
        click.echo(source_line(number, stream.sources[number - 1]))


def source_line(number: int, hit: Hit) -> str:
    """`[1] notes/lease.md:12  Lease › Term  2025-03-01`."""
    title = f"  {printable(hit.heading)}" if hit.heading else ""
    day = f"  {click.style(printable(hit.date), dim=True)}" if hit.date else ""
    return f"{click.style(f'[{number}]', bold=True)} {click.style(place(hit), fg='cyan')}{title}{day}"


def passage_text(hit: Hit) -> str:
    """The beginning of a source, indented."""
    text = " ".join(printable(hit.text).split())
    return textwrap.indent(textwrap.fill(textwrap.shorten(text, _SHOWN_CHARACTERS, placeholder=" …"), 94), "    ")


def answer_as_json(
    question: str, searched_for: str, answerer: "Answerer", stream: "AnswerStream", report: "AnswerReport"
) -> dict[str, object]:
    """The documented object (docs/json.md)."""
    return {
        "question": question,
        "searched_for": searched_for,
        "answer": report.answer,
        "ending": report.ending,
        "model": answerer.name,
        "server": answerer.server,
        "remote": answerer.remote,
        "quoted": answerer.model is None,
        "window_tokens": answerer.window.tokens,
        "prompt_tokens": stream.context.tokens if stream.context else 0,
        "sources": sources_as_json(stream.sources, report.cited),
        "sentences": [
            {
                "text": sentence.text,
                "citations": list(sentence.citations),
                "added_citations": list(sentence.added_citations),
                "doubt": sentence.doubt,
                "supported": sentence.supported,
            }
            for sentence in report.sentences
        ],
        "removed_citations": list(report.removed_citations),
    }


def sources_as_json(sources: Sequence[Hit], cited: Sequence[int]) -> list[dict[str, object]]:
    """The sources with their numbers, and whether they are cited."""
    from searchkit.display.fields import hit_fields

    return [{"number": number, "cited": number in cited, **hit_fields(hit)} for number, hit in enumerate(sources, 1)]
