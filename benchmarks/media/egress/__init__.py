"""What a viewer costs the server, beside stock aiortc."""
