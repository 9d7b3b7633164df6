"""Personas lent by their owners: kept in memory, bounded and for a while, and carried between processes.

It may import `app.ports`, `app.consent` and what lies below `app`.
"""
