"""The routes: WHIP and WHEP, the JSON API, events, recordings, metrics and the pages.

A route parses, calls one method of `app`, and answers. Routes may import the rest of `server` and what that may import.
"""
