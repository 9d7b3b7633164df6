"""ICE: where this machine is reached, which remote candidates are taken, and TURN credentials.

Plain values; it imports nothing of the rest of `webrtc`.
"""
