"""The command: parse, call the library, render. Data on stdout, messages on stderr."""
