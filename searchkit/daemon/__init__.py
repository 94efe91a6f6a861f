"""The daemon: a running server answers the searches of the command and the terminal UI, with its models loaded."""
