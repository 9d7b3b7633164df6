"""Recordings of treated broadcasts: packets as viewers got them, in files that survive a crash.

Frames are muxed, never decoded. It may import `media.codecs` and `media.files`.
"""
