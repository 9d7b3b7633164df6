"""Session descriptions: hostile text until it was read here, and written anew.

It may import `ice` and the formats that aiortc knows.
"""
