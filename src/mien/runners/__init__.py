"""Live sessions in processes of their own on this machine: the default way to run them."""

from mien.runners.photo_worker_pool import PhotoWorkerPool
from mien.runners.process_runner import ProcessRunner

__all__ = ["PhotoWorkerPool", "ProcessRunner"]
