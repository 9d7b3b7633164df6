"""Pictures and videos in files: read upright with their times, and written whole or not at all.

It may import the plain parts of `media` and `vision`.
"""
