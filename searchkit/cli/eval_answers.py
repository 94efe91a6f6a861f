"""`searchkit eval answers`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.answers import AnswerRequest, open_with_privacy_notice
from searchkit.cli.options import PATH, argument, option, with_options
from searchkit.cli.output import print_json, progress_line
from searchkit.display import plural, printable
from searchkit.reports import Progress

if TYPE_CHECKING:
    from searchkit.answer.answerer import Answerer
    from searchkit.answer.grounding.answer_stream import AnswerReport
    from searchkit.evaluate.answers import AnswerFigures, Judgement
    from searchkit.types import Hit


@dataclass(frozen=True, slots=True)
class _Request(AnswerRequest):
    file: Annotated[Path, argument(metavar="FILE", type=PATH)]
    show: Annotated[bool, option("--show", is_flag=True, help="Show each answer that is not right.")]


@click.command(short_help="Measure answers on questions whose answers are known.")
@with_options(_Request)
def answers(request: _Request) -> None:
    """Measure answers on questions whose answers are known: is the right source cited, is the answer in what is written, are
    refusals right, and how long does it take.

    FILE has a JSON object a line: {"question": "when does the lease end", "answers": ["31 March 2026"], "source":
    "flat/lease.pdf", "page": 3}. An answer may be a list of parts that must all be written; "half" has what is half an answer;
    without answers there is none, and refusing is right. Answers are those of `searchkit ask` with the same options.

    \b
    Examples:
      searchkit eval answers questions.jsonl
      searchkit eval answers questions.jsonl -c docs --llm http://127.0.0.1:11434 --show
    """
    from searchkit.evaluate.answers import figures_of, judge_answers, read_known_answers
    from searchkit.library import Library

    known = read_known_answers(request.file)
    with Library() as library:
        answerer = open_with_privacy_notice(library, request)

        def answer(question: str, collections: Sequence[str]) -> "tuple[AnswerReport, Sequence[Hit]]":
            return _answered(answerer, request, question, collections)

        judged: list[Judgement] = []
        try:
            with progress_line() as listen:
                for each in judge_answers(known, answer):
                    judged.append(each)
                    listen(Progress("Answering", len(judged), len(known), "questions"))
        finally:
            answerer.close()
        name = answerer.name or "quotations"
    figures = figures_of(judged)
    if request.as_json:
        print_json([{"model": name, **asdict(figures), "answers": [_as_json(each) for each in judged]}])
        return
    click.echo(_as_text(name, figures))
    for each in judged if request.show else ():
        if not each.is_right:
            click.echo(f"\n{printable(each.question)}\n  {printable(each.error or each.answer)}")


def _answered(
    answerer: "Answerer", request: _Request, question: str, collections: Sequence[str]
) -> "tuple[AnswerReport, Sequence[Hit]]":
    from dataclasses import replace

    sources = request.sources(question)
    stream = answerer.answer_from(replace(sources, collections=request.collections or tuple(collections)))
    for _ in stream:
        continue
    assert stream.report is not None
    return stream.report, stream.sources


def _as_text(name: str, figures: "AnswerFigures") -> str:
    rows = [
        ("model", name),
        ("questions", f"{plural(figures.questions, 'question')}, {figures.answerable} with an answer"),
        ("right", f"{figures.right:.1%}"),
        ("half right included", f"{figures.right_or_half:.1%}"),
        ("right source cited (MAP)", f"{figures.cited:.3f}"),
        ("refusals that are right", _share(figures.refused_precision)),
        ("refused where there is none", _share(figures.refused_recall)),
        (
            "seconds, median",
            f"{figures.median_seconds:.2f}, {figures.median_processor_seconds:.2f} of this process's processor time",
        ),
    ]
    if figures.failed:
        rows.append(("failed", plural(figures.failed, "answer")))
    return "\n".join(f"{title:<28} {value}" for title, value in rows)


def _share(value: float | None) -> str:
    return "nothing to judge" if value is None else f"{value:.1%}"


def _as_json(each: "Judgement") -> dict[str, object]:
    return {
        "question": each.question,
        "answer": each.answer,
        "refused": each.refused,
        "correctness": each.correctness,
        "citation": each.citation,
        "seconds": round(each.seconds, 3),
        "error": each.error,
    }
