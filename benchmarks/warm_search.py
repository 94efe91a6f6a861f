"""Times a warm search of ten hits, everything included, on your own collection.

Usage: python -m benchmarks.warm_search --queries FILE --collection NAME [--home DIR] [--count 60] [--steps]

FILE has one JSON object with a "text" per line. Every question is searched once before it is timed. `--steps`: times the two steps
of a search in a collection that is not embedded: at once, then with what the model reads, each question for the first time.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

from searchkit.home import Home
from searchkit.library import Library  # before NumPy, whose threads it keeps from spinning
from searchkit.search.request import SearchRequest
from searchkit.types import SearchMode


def main() -> None:
    """Print the median and the 95th percentile of every mode."""
    options = read_options()
    lines = options.queries.read_text("utf-8").splitlines()[: options.count]
    queries = [str(json.loads(line)["text"]) for line in lines]
    print("| mode | p50 ms | p95 ms |\n|---|---|---|")
    with Library(options.home) as library:
        if options.steps:
            warm = SearchRequest("warm up", collections=(options.collection,))
            library.find(warm)
            for name, reads in (("at once", False), ("with what is read", True)):
                times = sorted(timed(library, replace(warm, query=query, wait=reads)) for query in queries)
                print(f"| {name} | {at(times, 0.5):.0f} | {at(times, 0.95):.0f} |", flush=True)
            return
        for mode in SearchMode:
            asked = [SearchRequest(query, collections=(options.collection,), mode=mode) for query in queries]
            for request in asked:
                library.find(request)
            times = sorted(timed(library, request) for request in asked)
            print(f"| {mode} | {at(times, 0.5):.0f} | {at(times, 0.95):.0f} |", flush=True)


def timed(library: Library, request: SearchRequest) -> float:
    """Milliseconds of a search, with the notes that every front end shows."""
    start = time.perf_counter()
    library.find(request)
    return (time.perf_counter() - start) * 1e3


def at(rising: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    return rising[min(len(rising) - 1, int(share * len(rising)))]


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--collection", required=True)
    parser.add_argument("--home", type=Path, default=Home.default())
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--steps", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
