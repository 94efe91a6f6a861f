"""What the user has set, or the last session has left: keys, theme, the viewer of files."""
