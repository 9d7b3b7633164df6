"""Session descriptions: hostile text until it was read here, and written anew.

It may import `ice` and the payload types that aiortc knows.
"""
