"""Networks: what a model card promises, and ONNX sessions that keep the promise.

It imports `errors` alone; where weights come from is `registry`'s to know.
"""
