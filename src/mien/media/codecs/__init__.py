"""Encoded frames and audio, the encoders, and H.264's byte formats.

It may import the plain parts of `media` and `vision`, and nothing of `webrtc`, `files` or `recording`.
"""
