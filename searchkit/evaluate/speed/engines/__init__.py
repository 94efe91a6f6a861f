"""Embedding engines as worker processes; all but `model_folder` run in interpreters that do not have searchkit."""
