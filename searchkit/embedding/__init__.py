"""Turns text into vectors: models are folders, run on ONNX Runtime."""
