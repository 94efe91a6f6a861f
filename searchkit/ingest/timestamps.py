"""When a file's time stamp tells that it has not changed, and when it is too fresh for that."""

import time

NEVER_READ_NS = -1  # no file has this time, so the next run looks again
_FINE_NS = 50_000_000  # a file may change once more within its time stamp's grain: that much,
_COARSE_NS = 2_000_000_000  # or this where the file system keeps whole seconds


def settled(mtime_ns: int) -> int:
    """The time of a file that is being read now, unless it could change once more without showing it."""
    grain = _FINE_NS if mtime_ns % 1_000_000_000 else _COARSE_NS
    return mtime_ns if abs(time.time_ns() - mtime_ns) > grain else NEVER_READ_NS
