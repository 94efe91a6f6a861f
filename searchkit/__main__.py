"""`python -m searchkit`."""

from searchkit.cli.main import main

if __name__ == "__main__":
    main()
