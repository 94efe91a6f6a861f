"""What the user has set, and what the last session has left: keys, theme, history, the viewer of files."""
