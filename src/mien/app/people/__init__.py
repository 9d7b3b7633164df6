"""People who are registered to be known: read from photos, carried between processes, and told of to their owner.

It may import `app.photos`, `app.ports` and what lies below `app`.
"""
