"""ONNX Runtime, told to keep to itself."""

import os
from typing import Any


def onnx_runtime() -> Any:
    """The module, imported when first asked for.

    Its wheels report to their makers after some seconds of work unless this variable is set before they are loaded.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime
