"""Whole servers: delay, overload, bad lines, attacks, long runs."""
