"""Compares nearest-neighbour engines on real vectors of searchkit's collections, and on larger sets made from them.

Usage: python -m benchmarks.ann [--sizes 10000,100000] [--engines a,b] [--home DIR --collection NAME ...] [--out DIR]

The neighbours need `pip install -e '.[bench]'`; those that are not installed are left out. Writes ann.json, ann.md and
pictures. Each engine builds in one process and is measured in another; only one works at a time.
"""

import argparse
from pathlib import Path

from platformdirs import user_cache_path

from benchmarks.ann.plots import draw
from benchmarks.ann.processes import run_engine
from benchmarks.ann.registry import engine_names, make_engine
from benchmarks.ann.report import markdown
from benchmarks.ann.results import Results
from benchmarks.ann.sets import Source, make_job, prepare
from searchkit.evaluate.speed.machine import describe_machine
from searchkit.home import Home


def main() -> None:
    """Measure, and write each result at once."""
    options = read_options()
    options.out.mkdir(parents=True, exist_ok=True)
    results = Results(options.out / "ann.json", machine())
    if options.resume:
        results.load()
    source = source_of(options)
    engines = [name for name in options.engines or engine_names() if is_installed(name)]
    for size in options.sizes:
        results.sets[str(size)] = prepare(source, size)
        results.save()
        for engine in engines:
            if not results.has(engine, size):
                results.put(run_engine(make_job(source, size, engine, options.max_build_minutes)))
                print(f"{size:,} {engine}: {results.measured[-1].state}", flush=True)
    write_report(results, options.out)


def write_report(results: Results, out: Path) -> None:
    """Write the table, and the pictures if they can be drawn."""
    text = markdown(results)
    (out / "ann.md").write_text(text, "utf-8")
    print(text)
    try:
        draw(results, out)
    except ModuleNotFoundError as error:
        print(f"No pictures: {error}")


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[10_000, 100_000])
    parser.add_argument(
        "--engines", type=lambda text: text.split(","), help=f"of {', '.join(engine_names())}; default: all"
    )
    parser.add_argument("--home", type=Path, action="append", help="searchkit's data directory; can be given again")
    parser.add_argument("--collection", action="append", help="whose vectors to use; can be given again; default: all")
    parser.add_argument(
        "--queries", type=Path, action="append", default=[], help="questions, a JSON object with a text a line"
    )
    parser.add_argument("--query-count", type=int, default=500)
    parser.add_argument("--max-build-minutes", type=float, default=20)
    parser.add_argument("--cache", type=Path, default=user_cache_path("searchkit-ann-benchmark"))
    parser.add_argument("--out", type=Path, default=Path("ann-results"))
    parser.add_argument("--resume", action="store_true", help="keep what is in --out, and measure what is missing")
    return parser.parse_args()


def source_of(options: argparse.Namespace) -> Source:
    """The catalogs of the collections, of all of them if none is named."""
    homes = options.home or [Home.default()]
    found = sorted(catalog for home in homes for catalog in home.glob("collections/*/catalog.db"))
    catalogs = [catalog for catalog in found if not options.collection or catalog.parent.name in options.collection]
    if not catalogs:
        raise SystemExit(
            "No such collection. Index a folder (searchkit index FOLDER), or give --home and --collection."
        )
    return Source(homes[0], catalogs, options.queries, options.query_count, options.cache)


def is_installed(engine: str) -> bool:
    """Return True if the engine's library is installed; print a message if not."""
    try:
        make_engine(engine)
    except ModuleNotFoundError as error:
        print(f"{engine} is left out: {error}. Install it: pip install -e '.[bench]'")
        return False
    return True


def machine() -> dict[str, str]:
    """Describe the machine of the measurements."""
    found = describe_machine()
    return {"processor": found.processor, "cores": str(found.usable_cores), "python": found.python}


if __name__ == "__main__":
    main()
