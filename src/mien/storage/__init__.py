"""Adapters that keep what must outlive the process: the ledger of consent, and later SQL.

Each implements a port of `app.ports`. It may import `app.ports` and `errors`.
"""
