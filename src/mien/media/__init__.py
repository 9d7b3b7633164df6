"""aiortc and PyAV live here: peers, encoders, files."""
