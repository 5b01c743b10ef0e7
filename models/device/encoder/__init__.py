"""The shipped text encoders in floating point: weights, packed texts, torch with kernels, ONNX graph."""
