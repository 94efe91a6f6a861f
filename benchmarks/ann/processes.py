"""Runs one engine on one set, each step in a fresh process."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.ann.results import Measured, measured_from
from benchmarks.ann.worker import Job
from searchkit.files import folder_size_bytes

_SILENT = {  # no telemetry, no downloads
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "OTEL_SDK_DISABLED": "true",
}
_MEASURE_SECONDS = 3600


def run_engine(job: Job) -> Measured:
    """Build in a temporary folder beside the vectors, measure, and remove it. `state` says what failed."""
    with tempfile.TemporaryDirectory(dir=Path(job.vectors).parent, prefix=f"{job.engine}-") as name:
        work = Path(name)
        folder = work / "index"
        folder.mkdir()
        job = replace(job, folder=str(folder))
        (work / "job.json").write_text(json.dumps(asdict(job)), "utf-8")
        fields: dict[str, Any] = {"engine": job.engine, "size": job.count, "points": ()}
        try:
            fields |= _step("build", work, job.max_build_minutes * 60 * 1.5)
            if "build_seconds" in fields:
                fields["disk_mb"] = folder_size_bytes(folder) / 1e6
                fields |= _step("measure", work, _MEASURE_SECONDS)
        except subprocess.TimeoutExpired:
            fields["state"] = "took too long"
        except subprocess.CalledProcessError as error:
            fields["state"] = f"failed: {_last_line(error.stderr)}"
        return measured_from(fields)


def _step(operation: str, work: Path, seconds: float) -> dict[str, Any]:
    job = work / "job.json"
    command = [sys.executable, "-m", "benchmarks.ann.worker", operation, str(job)]
    environment = {**os.environ, **_SILENT}
    subprocess.run(command, env=environment, timeout=seconds, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(job.with_suffix(f".{operation}").read_text("utf-8"))
    return answer


def _last_line(talk: str) -> str:
    lines = talk.strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"
