"""The file job: one picture or video in, one treated file out, whole or not at all.

What the command line asks for becomes a spec, and the spec a pipeline over every frame. It may import `app.ports`,
`app.policy` and what lies below `app`.
"""
