"""onnxruntime, which reports home unless told not to: the only module that may import it.

Since 1.29 its builds for Linux make an id of the machine under the user's cache folder, queue events about every
network that is loaded in a database there, and send them to their maker. The variable is read while the library is
loaded, so it must be set before; see decision 127.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # whatever it was: "0" would mean yes

import onnxruntime as ort

ort.disable_telemetry_events()  # where another import was faster, and on systems that do not know the variable

__all__ = ["ort"]
