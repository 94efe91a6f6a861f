"""Makes a judged set of questions about code from Python's own library: a docstring's first sentence asks for its function.

Usage: python -m benchmarks.code_questions FOLDER [--functions 1500] [--questions 300]

FOLDER gets BEIR's layout, for `searchkit eval retrieval FOLDER`. Docstrings are taken out of the functions, as in CodeSearchNet
(Husain et al. 2019); what the sentence says in the function's own name stays, as it does in real code.
"""

import argparse
import ast
import json
import random
import sysconfig
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LEAST_LINES, _MOST_LINES = 5, 60
_LEAST_WORDS, _MOST_WORDS = 6, 30
_LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "site-packages", "turtledemo", "__pycache__"}


@dataclass(frozen=True, slots=True)
class Function:
    """A function without its docstring, and the docstring's first sentence."""

    place: str
    code: str
    sentence: str


def main() -> None:
    """Write corpus, questions and judgments."""
    options = read_options()
    found = list({function.sentence: function for function in functions()}.values())
    random.seed(0)
    chosen = random.sample(found, min(options.functions, len(found)))
    asked = chosen[: options.questions]
    (options.folder / "qrels").mkdir(parents=True, exist_ok=True)
    documents = ({"_id": each.place, "title": each.place.partition(":")[0], "text": each.code} for each in chosen)
    questions = ({"_id": f"q{number}", "text": each.sentence} for number, each in enumerate(asked))
    for name, rows in (("corpus", documents), ("queries", questions)):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (options.folder / f"{name}.jsonl").write_text("".join(lines), "utf-8")
    judged = (f"q{number}\t{each.place}\t1\n" for number, each in enumerate(asked))
    (options.folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged), "utf-8")
    print(f"{len(chosen)} functions of {len(found)}, {len(asked)} questions")


def functions() -> Iterator[Function]:
    """The library's functions of middling length whose docstrings begin with a sentence of middling length."""
    library = Path(sysconfig.get_path("stdlib"))
    for file in sorted(library.rglob("*.py")):
        if _LEFT_OUT & set(file.relative_to(library).parts):
            continue
        source = file.read_text("utf-8", "replace")
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        lines = source.splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (docstring := ast.get_docstring(node)):
                sentence = " ".join(docstring.split("\n\n")[0].split()).split(". ")[0]
                own = node.body[0]
                code = [*lines[node.lineno - 1 : own.lineno - 1], *lines[own.end_lineno : node.end_lineno]]
                if _LEAST_LINES <= len(code) <= _MOST_LINES and _LEAST_WORDS <= len(sentence.split()) <= _MOST_WORDS:
                    place = f"{file.relative_to(library)}:{node.lineno}"
                    yield Function(place, textwrap.dedent("\n".join(code)), sentence)


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--functions", type=int, default=1500)
    parser.add_argument("--questions", type=int, default=300)
    return parser.parse_args()


if __name__ == "__main__":
    main()
