"""Encoder graphs, written from safetensors weights with ONNX Runtime's fused operators."""
