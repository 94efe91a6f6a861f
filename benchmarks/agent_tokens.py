"""Counts the tokens that an agent reads until it has an answer: with searchkit's MCP tools, and with grep and whole files.

Usage: python -m benchmarks.agent_tokens QUESTIONS.jsonl... [--model NAME]

QUESTIONS are those of `searchkit eval answers`; each is asked of the collection that its `folder` names, in the data directory.
Only those with an answer count. Both ways follow a fixed rule instead of a language model, and stop as soon as the answer's words
stand in what was read:

- searchkit: `search` with five results, then `fetch` of the first three in turn, 2,000 characters of each.
- grep: the question's content words, in any case, in all files, at most 200 lines of 250 characters; then the files with most
  of the words, whole, at most 2,000 lines of each, five of them. Files without plain text (PDF, Office) cannot be read so.

Tokens are those of the model's tokenizer. What the agent itself writes is not counted.
"""

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.embedding.store import ModelStore
from searchkit.home import Home
from searchkit.library import Library
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.serve.mcp.arguments import read_arguments
from searchkit.serve.mcp.tools import TOOLS
from searchkit.text import folded, words

_RESULTS, _FETCHED, _CHARACTERS = 5, 3, 2000
_LINES, _LINE_CHARACTERS, _FILES, _FILE_LINES = 200, 250, 5, 2000
_SHORTEST = 3  # letters of a word to grep for


@dataclass(frozen=True, slots=True)
class Read:
    """What was read for a question: the steps, and whether the answer is in there."""

    texts: tuple[str, ...]
    is_answered: bool


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="+", type=Path)
    parser.add_argument("--model", default="embeddinggemma-300m")
    options = parser.parse_args()
    lines = (line for path in options.questions for line in path.read_text("utf-8").splitlines())
    asked = [question for question in map(json.loads, lines) if question["kind"] == "answer"]
    home = Home.default()
    count = ModelStore(home.models).open(options.model).count_tokens
    with Library(home) as library:
        roots = {status.collection: [Path(root) for root in status.folders] for status in library.statuses()}
        ways = {
            "searchkit": [_until_answered(question, _by_searchkit(library, question)) for question in asked],
            "grep and read": [
                _until_answered(question, _by_grep(roots[question["folder"]], question)) for question in asked
            ],
        }
    print("| way | answered | tokens, median | mean | nine in ten below | calls, mean |\n|---|---|---|---|---|---|")
    for way, found in ways.items():
        tokens = [sum(map(count, each.texts)) for each in found]
        answered = [each.is_answered for each in found].count(True)
        print(
            f"| {way} | {answered} of {len(found)} | {statistics.median(tokens):,.0f} | {statistics.mean(tokens):,.0f}"
            f" | {statistics.quantiles(tokens, n=10)[-1]:,.0f} | {statistics.mean(len(each.texts) for each in found):.1f} |"
        )


def _until_answered(question: dict[str, Any], steps: Iterator[str]) -> Read:
    texts: list[str] = []
    for text in steps:
        texts.append(text)
        said = folded(" ".join("\n".join(texts).split()))
        if any(all(folded(part) in said for part in answer) for answer in question["answers"]):
            return Read(tuple(texts), is_answered=True)
    return Read(tuple(texts), is_answered=False)


def _by_searchkit(library: Library, question: dict[str, Any]) -> Iterator[str]:
    found = _called(library, "search", query=question["question"], limit=_RESULTS, collection=question["folder"])
    yield json.dumps(found, ensure_ascii=False)
    for result in found["results"][:_FETCHED]:
        yield json.dumps(_called(library, "fetch", id=result["id"], max_characters=_CHARACTERS), ensure_ascii=False)


def _called(library: Library, name: str, **arguments: object) -> Any:
    tool = next(tool for tool in TOOLS if tool.name == name)
    return tool.answer(library, read_arguments(tool.name, tool.arguments, arguments), ())


def _by_grep(roots: Sequence[Path], question: dict[str, Any]) -> Iterator[str]:
    text = question["question"]
    typed = (text[word.start : word.end].lower() for word in words(text))
    wanted = {word for word in typed if word not in STOP_WORDS and len(word) >= _SHORTEST}
    lines, having = [], {}
    for path in sorted(path for root in roots for path in root.rglob("*") if path.is_file()):
        content = _plain_text(path)
        if content is None:
            continue
        lowered = content.lower()
        if here := {word for word in wanted if word in lowered}:
            having[path] = len(here)
            lines += [
                f"{path}:{number}:{line[:_LINE_CHARACTERS]}"
                for number, line in enumerate(content.splitlines(), 1)
                if any(word in line.lower() for word in here)
            ]
    yield "\n".join(lines[:_LINES])
    for path in sorted(having, key=lambda path: -having[path])[:_FILES]:
        yield "\n".join((_plain_text(path) or "").splitlines()[:_FILE_LINES])


def _plain_text(path: Path) -> str | None:
    content = path.read_bytes()
    if b"\0" in content or content.startswith(b"%PDF"):
        return None
    return content.decode("utf-8", "replace")


if __name__ == "__main__":
    main()
