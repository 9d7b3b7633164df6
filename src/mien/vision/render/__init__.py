"""What is drawn over a frame: the renderer, with mosaic and label, and the slate.

The renderer turns a frame, its analysis and a policy into a treated frame. This package may import `vision.swap`,
`vision.policy`, `vision.frame_analysis` and `vision.mesh`, and nothing of `vision.analysis`: it never looks for a face.
"""
