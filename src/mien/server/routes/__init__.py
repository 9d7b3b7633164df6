"""WHIP, WHEP, the JSON API, the WebSockets and the pages: each route parses, calls one method of `app`, and answers.

Routes may import what of `app` they call and what of `server` they share; never each other, no storage and no runner.
"""
