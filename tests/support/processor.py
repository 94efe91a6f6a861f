"""What the processor does with bytes."""

import functools
import platform
from pathlib import Path


@functools.cache
def may_saturate() -> bool:
    """True for an x86 processor without VNNI: it adds two products of bytes in 16 bits, and cuts what does not fit.

    Products of 8 bits are then less exact; of EmbeddingGemma's vectors .9982 is left in the mean, where VNNI keeps .9986.
    """
    information = Path("/proc/cpuinfo")
    if platform.machine().lower() not in ("x86_64", "amd64") or not information.is_file():
        return False
    return not {"avx512_vnni", "avx_vnni"} & set(information.read_text("ascii", "replace").split())
