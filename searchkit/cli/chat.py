"""`searchkit chat`."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from searchkit.cli.answers import AnswerRequest, open_with_privacy_notice, passage_text, show, source_line
from searchkit.cli.options import with_options
from searchkit.cli.output import say
from searchkit.display import error_text

if TYPE_CHECKING:
    from searchkit.answer.conversation import Conversation
    from searchkit.answer.grounding.answer_stream import AnswerStream

_HELP = (
    "/sources shows what the last answer is based on, /new starts over, /quit or Ctrl-D ends; Ctrl-C stops an answer."
)


@click.command()
@with_options(AnswerRequest)
def chat(request: AnswerRequest) -> None:
    """Talk about what is indexed: every question is rewritten to be understood alone, and gets its own sources.

    Without a language model (see searchkit ask), sources answer by quotations.

    In a conversation, /sources shows what the last answer is based on, /new starts over, /quit or Ctrl-D ends, and Ctrl-C stops
    an answer. From a pipe, each line is a question.

    \b
    Examples:
      searchkit chat
      searchkit chat -c notes --llm http://127.0.0.1:11434 --llm-model qwen3:4b
    """
    from searchkit.answer.conversation import Conversation
    from searchkit.answer.retrieve import check_collections
    from searchkit.library import Library

    with Library() as library:
        check_collections(library, request.collections)
        answerer = open_with_privacy_notice(library, request)
        say(f"Talking to {answerer.name} ({answerer.server})." if answerer.model else answerer.advice)
        try:
            _talk(Conversation(answerer, request.sources()), as_json=request.as_json)
        finally:
            answerer.close()


def _talk(conversation: "Conversation", *, as_json: bool) -> None:
    """Take questions and commands until there are no more; an error ends an answer, not the conversation."""
    from searchkit.errors import SearchkitError

    last: AnswerStream | None = None
    for line in _lines():
        if line.startswith("/"):
            if line == "/quit":
                return
            _run_command(line, conversation, last)
            continue
        try:
            last = _turn(conversation, line, as_json=as_json)
        except SearchkitError as error:
            say(f"Error: {error_text(error)}")
        except KeyboardInterrupt:
            say("Stopped.")


def _turn(conversation: "Conversation", question: str, *, as_json: bool) -> "AnswerStream":
    stream = conversation.ask(question)
    searched_for = conversation.searched_for
    if searched_for != question:
        say(f"Looking for: {searched_for}")
    try:
        if not show(question, searched_for, conversation.answerer, stream, as_json=as_json):
            say("Stopped.")
    finally:
        conversation.remember(question, stream)
    return stream


def _run_command(command: str, conversation: "Conversation", last: "AnswerStream | None") -> None:
    if command == "/new":
        conversation.start_over()
        say("A new conversation.")
    elif command == "/sources" and last and last.sources:
        for number, hit in enumerate(last.sources, 1):
            click.echo(source_line(number, hit))
            click.echo(passage_text(hit))
    elif command == "/sources":
        say("The last answer is based on no source." if last else "There is no answer yet.")
    else:
        say(_HELP)


def _lines() -> Iterator[str]:
    """The lines that are typed, or come through a pipe, without empty ones."""
    lines = _typed() if sys.stdin.isatty() else iter(sys.stdin)
    return (line.strip() for line in lines if line.strip())


def _typed() -> Iterator[str]:
    with suppress(ImportError):
        import readline  # noqa: F401 (lets input() edit lines; nothing is saved)
    say(_HELP)
    while True:
        try:
            yield input("\n> ")
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            say("")
