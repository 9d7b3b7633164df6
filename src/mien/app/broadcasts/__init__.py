"""Broadcasts: made, found, changed on air and ended; their states, and the places of their viewers.

It may import `app.ports`, `app.personas` and what lies below `app`.
"""
