"""The built-in masks: personas that are nobody's face, drawn by code.

They may import what `vision.swap` may.
"""
