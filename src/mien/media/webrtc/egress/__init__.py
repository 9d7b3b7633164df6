"""From encoded frames to each subscriber's RTP stream, and to servers elsewhere.

It may import the peer and everything below it, and nothing of `ingest`.
"""
