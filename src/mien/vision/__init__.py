"""Pixels in, pixels out: NumPy, OpenCV and ONNX networks, and nothing of the outside world.

`analysis` tells what a frame shows, `policy` what is to be done with whom, `render` draws it with the help of `swap`,
and `pipeline` puts them together. What they hand to each other is in `types` and `frame_analysis`; what they need of
networks is in `ports`. This package imports nothing of mien but `errors`.
"""
