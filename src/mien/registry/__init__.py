"""Which models exist, where they come from, and that what came is what the card promises.

A model is fetched, checked by its digest, converted to ONNX where need be, and kept. It may import `inference`, which
runs models, and `errors`.
"""
