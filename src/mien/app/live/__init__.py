"""One live session: threads that treat and encode, load shedding, and where its output goes.

It may import `app.ports`, `app.broadcasts` and what lies below `app`.
"""
