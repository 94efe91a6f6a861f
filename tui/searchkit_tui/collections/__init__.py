"""The screen about collections, and the dialogs of what can be done with one."""
