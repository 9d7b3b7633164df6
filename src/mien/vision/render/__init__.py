"""What is drawn over a frame: mosaic, label and slate.

It may import `vision.mesh` and the overlay mask of `vision.swap`; it knows no tracks and no policy.
"""
