"""A face drawn as another one: personas, their eyes and skin, and the swapper that lays them on a live mesh.

It may import `vision.mesh` and the plain parts of `vision`. It decides nothing about who is swapped.
"""
