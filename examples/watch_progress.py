"""Index for at most a minute, and show the progress: python examples/watch_progress.py ~/docs [SECONDS]."""

import sys
import time

from searchkit import Library, Progress, RunOptions

folder, *seconds = sys.argv[1:]
deadline = time.monotonic() + float(seconds[0] if seconds else 60)


def show(progress: Progress) -> None:
    """Print one line for each report of progress."""
    print(f"{progress.stage}: {progress.done} of {progress.total or '?'} {progress.unit} {progress.note}")


with Library() as library:
    options = RunOptions(is_interrupted=lambda: time.monotonic() > deadline)
    report = library.index(folder, on_progress=show, options=options)
    status = library.status(report.collection)
    print(f"{status.vectors} of {status.passages} passages can be found by meaning; the next run embeds the rest")
