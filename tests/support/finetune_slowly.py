"""A fine-tuning run in a process of its own, to be killed: `BASE FOLDER STEP`; at that step it kills itself, 0 for never."""

import os
import signal
import sys
from pathlib import Path

from searchkit.reports import Progress
from tests.support.finetune_runs import finetune_tiny


def main() -> None:
    """Train; print what came of it."""
    base, folder, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

    def on_progress(progress: Progress) -> None:
        if progress.stage == "Training" and step and progress.done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    print(finetune_tiny(base, folder, on_progress))  # noqa: T201


if __name__ == "__main__":
    main()
