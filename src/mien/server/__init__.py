"""HTTP: who asks (`auth`), whether they may (`guards`), what routes work with (`dependencies`), what errors become.

It may import everything below it: `storage`, `runners`, `app`, and what they rest on. Only `app.py` and `services.py`
put parts together.
"""
