"""From a publisher's RTP packets to decoded frames and audio, each with its capture time.

It may import the peer and everything below it, and nothing of `egress`.
"""
