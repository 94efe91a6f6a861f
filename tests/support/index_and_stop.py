"""An index run that is stopped before one of its steps in the index folder: `HOME FOLDER STEP kill|full`."""

import errno
import os
import signal
import sys
from pathlib import Path

from searchkit.library import Library
from tests.support.hash_embedder import HashEmbedder

_CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}


def main() -> None:
    """Every file opened for writing, made, renamed or removed there is a step; the one of that number is not done."""
    home, folder, step, way = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    index = str(home / "collections" / "docs" / "index")
    done = 0

    def count(event: str, args: tuple[object, ...]) -> None:
        nonlocal done
        if event not in _CHANGES or not str(args[0]).startswith(index):
            return
        if event == "open" and not int(str(args[2])) & (os.O_WRONLY | os.O_RDWR):
            return
        done += 1
        if done != step:
            return
        if way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(args[0]))

    with Library(home, embedder=HashEmbedder()) as library:
        sys.addaudithook(count)
        library.index(folder)


if __name__ == "__main__":
    main()
