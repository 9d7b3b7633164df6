"""How well a swap is believed, and what it is judged by."""
