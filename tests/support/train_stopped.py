"""`searchkit` in a process of its own that gets a signal while it embeds: `SIGNAL ARGUMENTS…`."""

import os
import signal
import sys
from collections.abc import Sequence

from searchkit.cli.main import main
from searchkit.train.pairs.vectors import VectorCache
from searchkit.types import Passage
from searchkit_indexes import Vectors


def stop_in_the_middle(number: signal.Signals) -> None:
    """Have half of the passages embedded, and then the signal sent."""
    embed = VectorCache.passages

    def passages(cache: VectorCache, wanted: Sequence[Passage]) -> Vectors:
        embed(cache, wanted[: len(wanted) // 2])
        os.kill(os.getpid(), number)
        return embed(cache, wanted)

    VectorCache.passages = passages  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # which whoever runs the tests in the background has turned off
    stop_in_the_middle(signal.Signals[sys.argv.pop(1)])
    main()
