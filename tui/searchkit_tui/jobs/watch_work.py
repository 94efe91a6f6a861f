"""What the watch job does."""

import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from searchkit.library import Library
from searchkit.maintenance.watch import watch
from searchkit_tui.rendering.status_text import changes

if TYPE_CHECKING:
    from searchkit_tui.jobs.job import Job


def watch_folders(names: Collection[str], library: Library, job: "Job") -> str:
    """Keep collections right until the job is cancelled; its outcome always says what happened last."""
    for report in watch(library, sorted(names), job.listen, job.stopped):
        job.meter.clear()
        job.outcome = f"{time.strftime('%H:%M:%S')} {report.collection}: {changes(report)}"
    return job.outcome
