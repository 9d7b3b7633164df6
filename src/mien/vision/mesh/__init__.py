"""The face mesh: its topology, its pose and regions, and the way between a frame and the flat texture.

Geometry without memory. It imports nothing but the plain parts of `vision`.
"""
