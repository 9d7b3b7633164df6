"""The policy document: who gets which treatment, for files, broadcasts and single frames alike.

It may import pydantic, `mien.errors` and the names of mosaics in `mien.vision.render`, and nothing else of the app.
"""
