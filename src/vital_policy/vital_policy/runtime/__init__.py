"""What the frozen policy's network is computed by: PyTorch, or the faster ONNX Runtime."""
