"""The command: parse, call the library, render. Data on stdout, talk on stderr."""
