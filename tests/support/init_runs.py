"""A small run of `train init`, as the tests and the process that they kill make it: `BASE HOME OUT STEP`."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from searchkit.home import Home
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener
from searchkit.train.init.initialize import initialize
from searchkit.train.init.prepare import InitRequest, prepare_run
from searchkit.train.init.result import Made
from searchkit.train.options import InitOptions, Precision, Start, TokenPooling
from searchkit.train.pairs.pair import Kind, Pair, Split
from searchkit.train.pairs.pair_file import write_pairs
from searchkit.types import Passage
from tests.support.tiny_checkpoints import WORDS

OPTIONS = InitOptions(
    layers=2,
    width=24,
    max_tokens=48,
    language_steps=4,
    adaptation_steps=4,
    texts=8,
    epochs=1,
    batch_size=32,
    starts=(Start.ENCODER_DECODER, Start.RANDOM),
    poolings=(TokenPooling.ATTENTION,),
    seeds=1,
    precision=Precision.FLOAT32,
    threads=1,
    checkpoint_minutes=0.0,  # a state at every step
)


def init_pairs(count: int = 120) -> list[Pair]:
    """Queries of three words, which their passages hold among others; three quarters to train with."""
    rng = np.random.default_rng(1)
    found = []
    for number in range(count):
        query = rng.choice(WORDS, 3, replace=False)
        text = rng.permutation(np.concatenate([query, rng.choice(WORDS, 25)]))
        split = {0: Split.VALIDATION, 1: Split.TEST}.get(number % 8, Split.TRAIN)
        found.append(Pair(" ".join(query), Passage("", " ".join(text)), Kind.TITLE, f"d{number}", split))
    return found


def init_tiny(
    base: Path,
    home: Path,
    out: Path,
    on_progress: ProgressListener = lambda _: None,
    *,
    options: InitOptions = OPTIONS,
    count: int = 120,
) -> Made:
    """Make a tiny encoder, or go on making it."""
    home.mkdir(exist_ok=True)
    file = home / "pairs.jsonl"
    write_pairs(file, init_pairs(count))
    with Library(Home(home)) as library:
        run = prepare_run(library, InitRequest("", out, base, file), options)
        return initialize(run, on_progress=on_progress, say=lambda _: None)


def main(arguments: Sequence[str]) -> None:
    """Make it until a step of that many, and die."""
    base, home, out = map(Path, arguments[:3])
    seen = 0

    def listen(_: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen == int(arguments[3]):
            os.kill(os.getpid(), signal.SIGKILL)

    init_tiny(base, home, out, listen)


if __name__ == "__main__":
    main(sys.argv[1:])
