"""The ASGI edge: HTTP and WebSockets in, calls of `app` out, and the pages.

`app` puts it together; guards and middleware decide who may before a body is read; `problems` alone turns errors into
answers. It may import `app` and what lies below, `config`, `errors` and `rate_limit`, and no runner and no storage:
those it is given.
"""
