"""What to say about a photo that could be better, in both languages.

It may import `vision.photos`.
"""
