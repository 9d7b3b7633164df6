"""WebRTC: signalling text, ICE, publishers in, subscribers out.

Below `ingest` and `egress` lie the peer that both share, the session descriptions, and the parts of aiortc and aioice
that have no public way. It may import `media.codecs`.
"""
