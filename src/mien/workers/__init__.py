"""Live sessions in processes of their own on this machine: the default way to run them."""

from mien.workers.runner import ProcessRunner

__all__ = ["ProcessRunner"]
