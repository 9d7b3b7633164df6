"""Photos of faces: the one face in each, what could be better about it, and how to say so in both languages.

It may import `app.models`, `app.face_photos` and `vision`.
"""
