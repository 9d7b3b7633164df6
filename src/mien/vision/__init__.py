"""Pixels in, pixels out: NumPy, OpenCV and ONNX networks, and nothing of the outside world."""
