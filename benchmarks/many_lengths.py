"""Writes a file of passages of all lengths from 10 to 1,000 tokens, cut from texts of several kinds in equal shares.

    python -m benchmarks.many_lengths OUT.jsonl MODEL TEXTS.jsonl...

MODEL: an installed model, whose tokens are counted. TEXTS: JSON lines with "_id" and "text"; a kind is a file, or, where ids
look like de-017, a prefix of the ids of a file. The result is for `searchkit bench embed --texts`.
"""

import json
import math
import random
import sys
from pathlib import Path

from searchkit.embedding.embedder import Embedder
from searchkit.library import Library

PASSAGES, SHORTEST, LONGEST = 500, 10, 1000


def main(target: str, model: str, *sources: str) -> None:
    rng = random.Random(5)
    kinds = texts_by_kind([Path(source) for source in sources])
    with Library() as library:
        embedder = library.models.open(model)
        lines = []
        for number in range(PASSAGES):
            kind = sorted(kinds)[number % len(kinds)]
            wanted = round(math.exp(rng.uniform(math.log(SHORTEST), math.log(LONGEST))))
            text = text_of_length(embedder, kinds[kind], wanted, rng)
            lines.append(json.dumps({"_id": str(number), "kind": kind, "text": text}, ensure_ascii=False))
    Path(target).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} passages of {', '.join(sorted(kinds))}")


def texts_by_kind(sources: list[Path]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for source in sources:
        for line in source.read_text("utf-8").splitlines():
            row = json.loads(line)
            prefix, dash, _ = row["_id"].partition("-")
            kinds.setdefault(prefix if dash and len(prefix) == 2 else source.parent.name, []).append(row["text"])
    return kinds


def text_of_length(embedder: Embedder, texts: list[str], tokens: int, rng: random.Random) -> str:
    text = ""
    while (have := embedder.count_tokens(text)) < tokens:
        text += "\n" * bool(text) + rng.choice(texts)
    while have > tokens:
        text = text[: max(1, len(text) * tokens // have - 1)]
        have = embedder.count_tokens(text)
    return text


if __name__ == "__main__":
    main(*sys.argv[1:])
