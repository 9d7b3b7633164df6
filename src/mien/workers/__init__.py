"""Live sessions in processes of their own on this machine: the default way to run them."""

from mien.workers.photo_reader import PhotoReader
from mien.workers.runner import ProcessRunner

__all__ = ["PhotoReader", "ProcessRunner"]
