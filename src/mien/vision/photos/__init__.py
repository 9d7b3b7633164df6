"""Photos of one face: how well one can serve as a persona, measured before anybody wears it.

It may import `vision.swap` and what that may import.
"""
