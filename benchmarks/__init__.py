"""Benchmarks: figures of the product as it is, each told with the machine they were measured on. README.md lists them.

They use what `mien` offers to the outside, and the helpers of `tests/support`. Nothing imports them but `research`.
"""
