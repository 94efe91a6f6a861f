"""Writes encoder graphs from safetensors weights, with ONNX Runtime's fused operators."""
