"""A fine-tuning run in a process of its own, to be killed: `BASE FOLDER STEP [QUANTIZATION]`.

At that step it kills itself, 0 for never.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from searchkit.embedding.model_info import Quantization
from searchkit.reports import Progress
from tests.support.finetune_runs import OPTIONS, finetune_tiny


def main() -> None:
    """Train; print what came of it."""
    base, folder, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

    def on_progress(progress: Progress) -> None:
        if progress.stage == "Training" and step and progress.done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    options = replace(OPTIONS, quantize=Quantization(sys.argv[4])) if sys.argv[4:] else OPTIONS
    print(finetune_tiny(base, folder, on_progress, options=options))  # noqa: T201


if __name__ == "__main__":
    main()
