"""Moving pictures and audio as they come and go: peer connections, encoders, files, recordings.

aiortc, aioice and PyAV live here and nowhere else. It knows no policy and no broadcast. It may import `vision.types`,
`errors` and `rate_limit`.
"""
