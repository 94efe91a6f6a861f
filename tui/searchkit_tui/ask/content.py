"""The answer and its sources as styled text. Text from a model or a file is shown as it is; no markup in it is obeyed."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from textual.content import Content
from textual.style import Style

from searchkit.answer import CHECK_MARKS
from searchkit.display import place, plural, reason
from searchkit.types import Hit
from searchkit_tui.ask.reply import Reply, ReplyState
from searchkit_tui.rendering.hit_content import MARK_STYLE
from searchkit_tui.rendering.markup import visible

_CITED_OR_MARKED = re.compile(rf"\[(?P<number>\d{{1,2}})\]|{'|'.join(map(re.escape, CHECK_MARKS))}")
_ENTRY_CHARACTERS = 160
INSTEAD = "Meanwhile, these are the passages that an answer would be made from. Press a number to read one."


def answer_text(text: str, sources: int, below: Sequence[str] = ()) -> Content:
    """Style the answer so far, with what is to be said below; the numbers of its sources can be clicked, links cannot."""
    clean = visible(text)
    parts: list[Content] = []
    at = 0
    for found in _CITED_OR_MARKED.finditer(clean):
        if found["number"] is None:
            style: Style | str = "$text-warning"
        elif 1 <= (number := int(found["number"])) <= sources:
            style = Style(bold=True) + Style.from_meta({"@click": f"screen.jump({number})"})
        else:
            continue
        parts += [Content(clean[at : found.start()]), Content.styled(found[0], style)]
        at = found.end()
    lines = [Content.styled(f"\n\n{visible(line, one_line=True)}", "dim") for line in below if clean]
    return Content("").join([*parts, Content(clean[at:]), *lines])


def source_entry(number: int, hit: Hit) -> Content:
    """Style a source in the list: its number, its file with page or line, and the sentence that answers, else its beginning."""
    said = hit.text[hit.sentence[0] :] if hit.sentence else hit.snippet
    extract = " ".join(visible(said[: 2 * _ENTRY_CHARACTERS]).split())[:_ENTRY_CHARACTERS]
    return Content.assemble(
        (f"[{number}] ", "bold $text-accent"), (_name(hit), "bold $text-primary"), f"\n    {extract}"
    )


def source_text(number: int, hit: Hit) -> Content:
    """Style a source in full, with the sentence that answers marked."""
    start, end = hit.sentence or (0, 0)
    about = " · ".join(part for part in (hit.heading, reason(hit), f"in {hit.collection}") if part)
    return Content.assemble(
        (f"[{number}] ", "bold $text-accent"),
        (_name(hit), "bold $text-primary"),
        (f"\n{visible(str(hit.path.parent), one_line=True)}\n{visible(about, one_line=True)}\n\n", "dim"),
        visible(hit.text[:start]),
        (visible(hit.text[start:end]), MARK_STYLE),
        visible(hit.text[end:]),
    )


def no_answerer(why: str) -> str:
    """Say why nothing answers, and what is shown instead."""
    return f"{visible(why)}\n\n{INSTEAD}"


def state_line(reply: Reply) -> Content:
    """Describe an answer's progress, or how it ended."""
    name = visible(reply.name, one_line=True)
    count = plural(len(reply.sources), "passage")
    if not reply.is_coming:
        return _ending(reply, name, count)
    if reply.is_stopped:
        return Content.styled("Stopping…", "dim")
    if reply.state is ReplyState.SEARCHING or reply.missing is not None:
        return Content.styled("Looking for passages…", "dim")
    if not name:
        return Content.styled(f"Quoting from {count}…", "$text-accent")
    return Content.assemble((f"{name} is answering from {count}", "$text-accent"), (" · esc stops it", "dim"))


def _ending(reply: Reply, name: str, count: str) -> Content:
    if reply.error:
        return Content.styled(f"✗ {visible(reply.error)}", "$text-error")
    if reply.missing is not None:
        return Content(f"{count} found" if reply.sources else "Nothing found to base an answer on.")
    if reply.is_stopped:
        return Content(f"■ Stopped after {reply.elapsed_seconds:.1f} s. / asks again.")
    if not name:
        return Content(
            f"✓ {count} in {reply.elapsed_seconds:.1f} s." if reply.sources else "Nothing found to answer from."
        )
    numbers = ", ".join(f"[{number}]" for number in cited(reply.text, reply.sources))
    citations = f"it cites {numbers}" if numbers else "it cites none of them"
    return Content(f"✓ {name} answered from {count} in {reply.elapsed_seconds:.1f} s; {citations}.")


def cited(text: str, sources: Sequence[Hit]) -> tuple[int, ...]:
    """List the numbers of the sources that an answer cites, in order."""
    found = {int(number) for number in _CITED_OR_MARKED.findall(text) if number}
    return tuple(number for number in sorted(found) if 1 <= number <= len(sources))


def _name(hit: Hit) -> str:
    """Write the file's name with line or page."""
    return visible(place(replace(hit, path=Path(hit.path.name))), one_line=True)
