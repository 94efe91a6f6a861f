"""Embedding engines in worker processes; all but `model_folder` run in interpreters without searchkit."""
