"""Compares what is read of files with what independent libraries read of them."""
