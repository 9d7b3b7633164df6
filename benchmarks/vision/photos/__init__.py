"""How well the photo assessor judges reference photos."""
