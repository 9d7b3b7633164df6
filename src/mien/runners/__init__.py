"""Live sessions in processes of their own on this machine: the default way to run them."""

from mien.runners.photo_reader import PhotoReader
from mien.runners.process_runner import ProcessRunner

__all__ = ["PhotoReader", "ProcessRunner"]
