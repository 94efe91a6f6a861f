"""How much memory the process has taken at most."""

import sys


def peak_memory_bytes() -> int:
    """The largest resident size so far; 0 where the system does not say (Windows)."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
