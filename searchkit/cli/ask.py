"""`searchkit ask`."""

import shlex
from typing import TYPE_CHECKING

import click

from searchkit.cli.answers import answer_options, open_and_say, show, source_line, sources_as_json
from searchkit.cli.output import print_json, say
from searchkit.search.query.filters import Filters

if TYPE_CHECKING:
    from searchkit.answer.answerer import Answerer, Scope
    from searchkit.library import Library


@click.command()
@click.argument("question", nargs=-1)
@click.option("--no-llm", is_flag=True, help="Print the numbered sources and the question alone, to paste elsewhere.")
@answer_options
def ask(
    question: tuple[str, ...],
    collections: tuple[str, ...],
    k: int,
    filters: Filters,
    **how: str | bool,
) -> None:
    """Answer QUESTION from what is indexed, by a language model on this machine, with citations.

    The model is that of a server found on this machine (Ollama, llama.cpp, LM Studio, vLLM), or the embedded one. Every
    citation is checked; sentences that no source seems to say are marked. Where nothing is clearly about the question, no
    model is asked.

    \b
    Examples:
      searchkit ask when does the lease end
      searchkit ask what did we decide about the roof -c notes --since 2025
      searchkit ask how to bleed the radiators --no-llm
      searchkit ask what is due in May --llm http://127.0.0.1:8080
    """
    if not question:
        raise click.UsageError(
            "Missing argument 'QUESTION...'. Ask in plain words: searchkit ask when does the lease end"
        )
    from searchkit.answer.answerer import Scope, open_answerer
    from searchkit.answer.retrieve import check_collections, check_question
    from searchkit.library import Library

    asked, scope, as_json = " ".join(question), Scope(collections, filters, k), bool(how["as_json"])
    check_question(asked)
    with Library() as library:
        check_collections(library, collections)
        if how["no_llm"]:
            _print_context(library, asked, scope, as_json=as_json)
            return
        answerer = open_and_say(lambda: open_answerer(library, llm=str(how["llm"]), model=str(how["llm_model"])))
        try:
            _answer(answerer, asked, scope, as_json=as_json)
        finally:
            answerer.close()


def _answer(answerer: "Answerer", asked: str, scope: "Scope", *, as_json: bool) -> None:
    stream = answerer.answer_within(asked, scope)
    if stream.sources:
        say(f"Asking {answerer.name} ({answerer.model.where}) …")
    if not show(asked, asked, answerer, stream, as_json=as_json):
        say("Stopped.")
        click.get_current_context().exit(130)
    if not stream.sources:
        say(_nearest(asked))


def _print_context(library: "Library", asked: str, scope: "Scope", *, as_json: bool) -> None:
    from searchkit.answer.answerer import context_to_paste

    context, text = context_to_paste(library, asked, scope)
    if as_json:
        sources = sources_as_json(context.sources if context else (), ())
        print_json(
            [{"question": asked, "prompt": text, "prompt_tokens": context.tokens if context else 0, "sources": sources}]
        )
    elif context:
        click.echo(text)
        for number, hit in enumerate(context.sources, 1):
            click.echo(source_line(number, hit), err=True)
    if not context:
        say(f"Nothing that is indexed is clearly about that. {_nearest(asked)}")


def _nearest(asked: str) -> str:
    return f"The nearest passages: searchkit search {shlex.quote(asked)}"
