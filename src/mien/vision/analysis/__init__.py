"""What a frame shows: faces found, followed, measured and recognised.

The analyzer of a stream looks at frames and remembers; it decides nothing and never draws. This package may import
`vision.frame_analysis`, `vision.ports`, `vision.mesh` and the plain parts of `vision`, and nothing of `policy`,
`render`, `swap` or `photos`.
"""
