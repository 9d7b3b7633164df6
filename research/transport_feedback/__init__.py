"""Transport-wide feedback for publishers, beside REMB."""
