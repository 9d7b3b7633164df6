"""Where live sessions run: in this process, or each in a process of its own on this machine, which is the default.

`messages` is what the web process and its workers say to each other, `verbs` what a worker does about it; the parent
side is `process_runner` with `worker_process`, `remote` and `photo_worker_pool`, the child side `worker` and
`photo_worker`. It may import `app` and what lies below, and nothing of `server` or `storage`.
"""

from mien.runners.photo_worker_pool import PhotoWorkerPool
from mien.runners.process_runner import ProcessRunner

__all__ = ["PhotoWorkerPool", "ProcessRunner"]
