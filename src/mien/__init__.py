"""A self-hosted, consent-first live face platform.

Rooms, from the top: `cli`; `server`; `storage` and `runners`; `app`; `media` and `registry`; `vision` and `inference`.
Each may import those below it, and the plain modules beside them. Nothing is imported here, so that
`mien --help` is quick.
"""
