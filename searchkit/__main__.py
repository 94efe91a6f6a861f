"""`python -m searchkit`, and the command: an interrupt while its modules are loaded is no traceback either."""

import sys


def main() -> None:
    """Run the command; see `searchkit.cli.main`."""
    try:
        from searchkit.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)  # noqa: T201 (what prints for the command is not loaded yet)
        sys.exit(130)


if __name__ == "__main__":
    main()
