"""Times `searchkit search` from a cold shell, with a running server and without, in pairs.

Usage: python -m benchmarks.shell_search --queries FILE [--collection NAME] [--count 15]

FILE has one query per line. Each is searched once through the server, once without it (its address is hidden meanwhile), and
once by words alone.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from searchkit.daemon.protocol import read_address
from searchkit.home import Home

_SEARCHKIT = (sys.executable, "-m", "searchkit")
_WAYS = ("with a server", "without", "by words alone")


def main() -> None:
    """Print the medians, and the speed-up by the server."""
    options = read_options()
    home = Home.default()
    address_file = home.path / "engine.json"
    queries = [line for line in options.queries.read_text("utf-8").splitlines() if line.strip()][: options.count]
    seconds: dict[str, list[float]] = {way: [] for way in _WAYS}
    with serving(home.path):
        for query in queries:
            command = [
                *_SEARCHKIT,
                "search",
                query,
                "-k",
                "5",
                *(["-c", options.collection] if options.collection else []),
            ]
            seconds["with a server"].append(timed(command))
            aside = address_file.rename(home.path / "engine.json.aside")
            seconds["without"].append(timed(command))
            seconds["by words alone"].append(timed([*command, "--mode", "lexical"]))
            aside.rename(address_file)
    for way, values in seconds.items():
        print(
            f"{way}: {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f}, {len(values)} queries)"
        )
    ratios = [cold / warm for cold, warm in zip(seconds["without"], seconds["with a server"], strict=True)]
    print(f"times as fast with a server, median of the pairs: {statistics.median(ratios):.1f}")


@contextmanager
def serving(home: Path) -> Iterator[None]:
    """A server over the data directory, warm."""
    with subprocess.Popen([*_SEARCHKIT, "serve", "--port", "0"], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        try:
            while "Ctrl-C" not in server.stderr.readline():
                if server.poll() is not None:
                    raise SystemExit("The server did not start.")
            if read_address(Home(home)) is None:
                raise SystemExit("The server reports no address.")
            timed([*_SEARCHKIT, "search", "warm up", "-k", "1"])
            yield
        finally:
            server.terminate()


def timed(command: list[str]) -> float:
    """Seconds of a whole command."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--collection", default="")
    parser.add_argument("--count", type=int, default=15)
    return parser.parse_args()


if __name__ == "__main__":
    main()
