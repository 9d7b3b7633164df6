"""The built-in masks: personas that are nobody's face, drawn by code on a flat board and laid on the mesh.

They need nobody's consent. They may import what `vision.swap` may.
"""
