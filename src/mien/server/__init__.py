"""The ASGI edge: HTTP and WebSockets in, calls of `app` out, and the pages.

`auth` tells who makes a request, `guards` whether they may before a body is read, `dependencies` what routes work with,
and `problems` alone turns errors into answers. Only `app` and `services` put parts together. It may import `storage`,
`app` and what lies below; the runner is given to it.
"""
