"""Adapters that keep what must outlive the process: the ledger of consent and recordings, and later SQL.

Each implements a port of `app.repositories`. It may import that, and `errors`.
"""
