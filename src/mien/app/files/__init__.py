"""The file job: one picture or video in, one treated file out.

It may import `app.ports` and what lies below `app`.
"""
