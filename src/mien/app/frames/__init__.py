"""Single frames over a WebSocket, treated one after the other, for clients without WebRTC.

It may import `app.ports` and what lies below `app`.
"""
