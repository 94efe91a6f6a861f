"""Loads a server with many clients at once: errors, throughput, latency, and growth of its memory.

Usage: python -m benchmarks.serve_load --home DIR --collection NAME [--clients 32] [--requests 10000] [--long 8]

Starts `searchkit serve` over the data directory on a free port. Each client is a thread with a connection of its own that asks
one request after the other. Queries are made of words of the collection's own passages, each asked once (the server remembers
the vectors of queries it has seen, which is measured as well: --repeat). Prints a Markdown table.

With --long, so many clients ask one query of 20,000 characters each, and what is measured is `GET /v1/models` meanwhile.
"""

import argparse
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

from searchkit.home import Home
from searchkit.library import Library
from searchkit.serve.http.middleware.guards import read_or_make_token

_WORD = re.compile(r"[^\W\d_]{3,}")
_LONG_CHARACTERS = 20_000
_LIST_EVERY_SECONDS = 0.02
_PAUSE_SECONDS = 3


@dataclass
class Load:
    """The clients' measurements. Times are in milliseconds."""

    times_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    elapsed_seconds: float = 0.0
    cpu_seconds: float = 0.0


def main() -> None:
    """Run the load and print the results."""
    options = read_options()
    if options.long:
        list_beside_long_queries(options)
        return
    queries = make_queries(options)
    token = read_or_make_token(Home(options.home))
    with running_server(options) as (port, process):
        ask_all(port, token, queries[: options.clients], options, Load())  # the first ones load models and indexes
        load = Load(cpu_seconds=-cpu_seconds(process.pid))
        with memory_watch(process.pid, load):
            ask_all(port, token, queries[options.clients :], options, load)
        load.cpu_seconds += cpu_seconds(process.pid)
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    print_table(load, options, code)


def list_beside_long_queries(options: argparse.Namespace) -> None:
    """Ask for the list of models for as long as the long queries take, and print how long it took."""
    queries = long_queries(options)
    token = read_or_make_token(Home(options.home))
    models, long = Load(), Load()
    with running_server(options) as (port, process):
        ask_all(port, token, make_queries(options)[: options.clients], options, Load())
        asking = threading.Thread(target=ask_all, args=(port, token, queries, options, long))
        asking.start()
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            while asking.is_alive():
                get(connection, "/v1/models", token, '"object"', models)
                time.sleep(_LIST_EVERY_SECONDS)
        asking.join()
        most = resident_mb(process.pid)
        time.sleep(_PAUSE_SECONDS)
        memory = resident_mb(process.pid)
    rows = {
        f"{len(queries)} queries of {_LONG_CHARACTERS:,} characters at once: seconds for all": f"{long.elapsed_seconds:.1f}",
        "GET /v1/models meanwhile": len(models.times_ms),
        "p50, p95, p99, longest ms": ", ".join(f"{each:.0f}" for each in quantiles(models, 0.5, 0.95, 0.99, 1.0)),
        "errors": len(models.errors) + len(long.errors),
        f"memory at their end, {_PAUSE_SECONDS} seconds later (MB)": f"{most:.0f}, {memory:.0f}",
    }
    print_rows(rows, models.errors + long.errors)


def long_queries(options: argparse.Namespace) -> list[str]:
    """Texts of the collection's passages, each longer than a model reads."""
    with Library(options.home) as library:
        passages = library.collection(options.collection).sample_passages(4000)
    text = " ".join(" ".join(_WORD.findall(passage.text)) for passage in passages)
    text *= 1 + options.long * _LONG_CHARACTERS // len(text)
    return [text[i * _LONG_CHARACTERS :][:_LONG_CHARACTERS] for i in range(options.long)]


def make_queries(options: argparse.Namespace) -> list[str]:
    """Three to eight successive words from a sample of passages, the same at every run."""
    with Library(options.home) as library:
        passages = library.collection(options.collection).sample_passages(4000)
    words = [_WORD.findall(passage.text) for passage in passages]
    words = [each for each in words if len(each) > 8]
    chooser = random.Random(7)
    queries = []
    for _ in range(options.requests + options.clients):
        text = chooser.choice(words)
        length = chooser.randint(3, 8)
        start = chooser.randrange(len(text) - length)
        queries.append(" ".join(text[start : start + length]))
    return [queries[i % options.repeat] for i in range(len(queries))] if options.repeat else queries


@contextmanager
def running_server(options: argparse.Namespace) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """Port and process."""
    command = [sys.executable, "-m", "searchkit", "serve", "--port", "0"]
    environment = {**os.environ, "SEARCHKIT_HOME": str(options.home)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr
        first = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", first)
        assert found, first + process.stderr.read()
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield int(found[1]), process
    finally:
        process.kill()
        process.wait()


def ask_all(port: int, token: str, queries: list[str], options: argparse.Namespace, load: Load) -> None:
    """Have the clients send all queries."""
    remaining = iter(queries)  # its next() is atomic
    start = time.perf_counter()

    def client() -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            for query in remaining:
                ask(connection, token, query, options, load)

    with ThreadPoolExecutor(options.clients) as pool:
        for each in [pool.submit(client) for _ in range(options.clients)]:
            each.result()
    load.elapsed_seconds = time.perf_counter() - start


def ask(
    connection: http.client.HTTPConnection, token: str, query: str, options: argparse.Namespace, load: Load
) -> None:
    """One search."""
    parameters = {"q": query, "k": 10, "collection": options.collection}
    if len(query) < _LONG_CHARACTERS:
        get(connection, "/search?" + urlencode(parameters), token, '"hits"', load)
        return
    body = json.dumps({"query": query, "k": 10, "collections": [options.collection]})
    request(connection, ("POST", "/search", body), token, '"hits"', load)


def get(connection: http.client.HTTPConnection, path: str, token: str, expected: str, load: Load) -> None:
    """One GET."""
    request(connection, ("GET", path, None), token, expected, load)


def request(
    connection: http.client.HTTPConnection, what: tuple[str, str, str | None], token: str, expected: str, load: Load
) -> None:
    """One request (method, path, body), whose answer must contain a text."""
    method, path, content = what
    start = time.perf_counter()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    try:
        connection.request(method, path, body=content, headers=headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or expected.encode() not in body:
            load.errors.append(f"{response.status} {body[:200]!r}")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        load.errors.append(repr(error))
    load.times_ms.append((time.perf_counter() - start) * 1e3)


@contextmanager
def memory_watch(pid: int, load: Load) -> Iterator[None]:
    """Note the resident memory every second (Linux)."""
    stopped = threading.Event()

    def watch() -> None:
        for _ in count():
            load.memory_mb.append(resident_mb(pid))
            if stopped.wait(1):
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def resident_mb(pid: int) -> float:
    """Resident memory without mapped files, which the system may drop; 0 if unknown."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"RssAnon:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) / 1000 if found else 0.0


def cpu_seconds(pid: int) -> float:
    """Processor time of the process on all cores; 0 if unknown."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def print_table(load: Load, options: argparse.Namespace, code: int) -> None:
    """In Markdown."""
    rising = sorted(load.times_ms)
    tenth = max(1, len(load.memory_mb) // 10)
    early, late = load.memory_mb[tenth : 2 * tenth] or load.memory_mb, load.memory_mb[-tenth:]
    rows = {
        "clients at once": options.clients,
        "requests": f"{len(rising):,}",
        "errors": len(load.errors),
        "requests a second": f"{len(rising) / load.elapsed_seconds:.1f}",
        "p50, p95, p99 ms": ", ".join(f"{each:.0f}" for each in quantiles(load, 0.5, 0.95, 0.99)),
        "CPU time of the server, ms a request": f"{load.cpu_seconds / len(rising) * 1e3:.0f}",
        "cores it had, on average": f"{load.cpu_seconds / load.elapsed_seconds:.2f} of {os.cpu_count()}",
        "memory in the second tenth, in the last (MB)": f"{sum(early) / len(early):.0f}, {sum(late) / len(late):.0f}",
        "exit code after SIGTERM": code,
    }
    print_rows(rows, load.errors)


def quantiles(load: Load, *shares: float) -> list[float]:
    """Of the times, in milliseconds."""
    rising = sorted(load.times_ms)
    return [rising[int(share * (len(rising) - 1))] for share in shares]


def print_rows(rows: Mapping[str, object], errors: Sequence[str]) -> None:
    """Print a table in Markdown, and the first errors."""
    print("| | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    for error in errors[:5]:
        print(error, file=sys.stderr)


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Home.default().path)
    parser.add_argument("--collection", required=True)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=0, help="Send only this many different queries, repeatedly.")
    parser.add_argument("--long", type=int, default=0, help="Measure the list of models beside so many long queries.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
