"""What a frame shows: faces found, followed, measured and recognised.

The analysis of a stream looks at frames and remembers; it never draws. It may import `vision.mesh` and the plain parts
of `vision`, and nothing of `render`, `swap` or `photos`.
"""
