"""`searchkit ask`."""

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.answers import AnswerRequest, open_with_privacy_notice, show, source_line, sources_as_json
from searchkit.cli.options import argument, option, text_of, with_options
from searchkit.cli.output import print_json, say

if TYPE_CHECKING:
    from searchkit.answer.answerer import Answerer
    from searchkit.library import Library
    from searchkit.search.request import SearchRequest


@dataclass(frozen=True, slots=True)
class _Request(AnswerRequest):
    question: Annotated[tuple[str, ...], argument(nargs=-1)]
    no_llm: Annotated[
        bool,
        option(
            "--no-llm",
            is_flag=True,
            help="Print what a language model would be asked, the numbered sources included, to paste elsewhere.",
        ),
    ]


@click.command()
@with_options(_Request)
def ask(request: _Request) -> None:
    """Answer QUESTION from what is indexed, with citations.

    A language model writes the answer, if a server is found on this machine (Ollama, llama.cpp, LM Studio, vLLM) or one is
    named. Every citation is checked; sentences that no source seems to say are marked. Without a model the sentences that answer
    are quoted. If nothing is clearly about the question, there is no answer. QUESTION - reads it from standard input.

    \b
    Examples:
      searchkit ask when does the lease end
      searchkit ask what did we decide about the roof -c notes --since 2025
      searchkit ask how to bleed the radiators --no-llm
      searchkit ask what is due in May --llm http://127.0.0.1:8080
    """
    if not request.question:
        raise click.UsageError(
            "Missing argument 'QUESTION...'. Ask in plain words: searchkit ask when does the lease end"
        )
    from searchkit.answer.retrieve import check_collections, check_question
    from searchkit.library import Library

    sources = request.sources(text_of(request.question))
    check_question(sources.query)
    with Library() as library:
        check_collections(library, sources.collections)
        if request.no_llm:
            _print_context(library, sources, as_json=request.as_json)
            return
        answerer = open_with_privacy_notice(library, request)
        try:
            _answer(answerer, sources, as_json=request.as_json)
        finally:
            answerer.close()


def _answer(answerer: "Answerer", sources: "SearchRequest", *, as_json: bool) -> None:
    question = sources.query
    stream = answerer.answer_from(sources)
    if stream.sources and answerer.model:
        say(f"Asking {answerer.name} ({answerer.server}) …")
    if not show(question, question, answerer, stream, as_json=as_json):
        say("Stopped.")
        click.get_current_context().exit(130)
    if not stream.sources:
        say(_nearest(question))
    elif answerer.advice:
        say(answerer.advice)


def _print_context(library: "Library", sources: "SearchRequest", *, as_json: bool) -> None:
    from searchkit.answer.answerer import context_to_paste

    question = sources.query
    context, text = context_to_paste(library, sources)
    if as_json:
        shown = sources_as_json(context.sources if context else (), ())
        tokens = context.tokens if context else 0
        print_json([{"question": question, "prompt": text, "prompt_tokens": tokens, "sources": shown}])
    elif context:
        click.echo(text)
        for number, hit in enumerate(context.sources, 1):
            click.echo(source_line(number, hit), err=True)
    if not context:
        say(f"Nothing that is indexed is clearly about that. {_nearest(question)}")


def _nearest(question: str) -> str:
    return f"The nearest passages: searchkit search {shlex.quote(question)}"
