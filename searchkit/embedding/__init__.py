"""Text becomes vectors: models as folders, run on ONNX Runtime."""
