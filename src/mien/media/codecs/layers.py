"""The sizes of a broadcast: each treated frame is encoded once for every layer that somebody watches."""

import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from mien.media.codecs.devices import CodecDevice, DeviceH264Encoder
from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.codecs.encoder import NOMINAL_FPS, Encoder
from mien.media.codecs.planes import TreatedPlanes
from mien.media.codecs.vp8 import Vp8Encoder
from mien.tracing import span
from mien.vision.types import TreatedFrame

LAYERS: Final = 2
"""Rung 0 has the size of the treated frame, each further one half the sides of the one before."""
KEYFRAME_GAP_S: Final = 0.25
"""Keyframe requests closer together than this are answered by one keyframe."""

_ENCODE: Final = tuple(f"encode layer {layer}" for layer in range(LAYERS))
_OVERLOADED: Final = 0.9
_RELAXED: Final = 0.75
"""Shares of the time between two frames that encoding them may take. Two, lest it flutters."""
_SMOOTHING: Final = 0.1


class LayerEncoders:
    """Encodes treated frames on all layers that have an audience.

    When encoding cannot keep up, the best layer goes on with every frame and the others take every second one.

    `encode` belongs to one thread; the other methods may be called from any.

    Args:
        codec: The codec of all layers.
        epoch: The capture time, in seconds, that becomes presentation time zero.
        devices: Where H.264 is encoded, the preferred one first; in software where none does it.

    Attributes:
        overloaded: Whether the lower layers go without every second frame.
    """

    def __init__(self, codec: VideoCodec, *, epoch: float, devices: Sequence[CodecDevice] = ()) -> None:
        self.overloaded = False
        make = partial(DeviceH264Encoder, devices=devices) if codec is VideoCodec.H264 else Vp8Encoder
        self._encoders: tuple[Encoder, ...] = tuple(make(epoch=epoch, layer=layer) for layer in range(LAYERS))
        self._audience: frozenset[int] = frozenset()
        self._wanted: set[int] = set()
        self._keyframe_at = [-KEYFRAME_GAP_S] * LAYERS
        self._costs_s = [0.0] * LAYERS
        self._interval_s = 1 / NOMINAL_FPS
        self._began_at: float | None = None
        self._odd = False
        self._lock = threading.Lock()

    def set_audience(self, layers: frozenset[int]) -> None:
        """Say which layers are watched. The first frame of one that was not is a keyframe.

        Raises:
            ValueError: There is no such layer.
        """
        if not layers <= frozenset(range(LAYERS)):
            raise ValueError(f"there are the layers 0 to {LAYERS - 1}, got {sorted(layers)}")
        with self._lock:
            self._want_at_once(layers - self._audience)
            self._audience = layers

    def want_keyframe(self, layer: int) -> None:
        """Make the next frame of a layer one that can be decoded by itself, or one soon after it if need be."""
        with self._lock:
            self._wanted.add(layer)

    def want_fresh_start(self) -> None:
        """Make the very next frame of every layer a keyframe: nothing of what was before can be seen in it."""
        with self._lock:
            self._want_at_once(frozenset(range(LAYERS)))

    def limit_rate(self, layer: int, bit_rate: int | None) -> None:
        """Keep a layer below `bit_rate`; None lifts the limit. It costs no keyframe."""
        self._encoders[layer].limit_rate(bit_rate)

    def encode(self, treated: TreatedFrame, *, at: float) -> Iterator[EncodedFrame]:
        """Yield `treated`, to show at `at` seconds, as a frame of each layer, the best first.

        Each frame can be sent before the next one is encoded. If a layer fails, it begins anew with the next
        frame, the others go on, and the error is raised after them.

        Raises:
            TypeError: `treated` is not a `TreatedFrame`; no other frame may leave.
            ShapeError: The frame holds no usable image.
        """
        audience = self._audience
        if not audience:
            return
        began = self._begin()
        with span("RGB to I420"):
            planes, level = TreatedPlanes(treated), 0
        failed: Exception | None = None
        best = True
        for layer in sorted(audience):
            if not best and self.overloaded and self._odd:
                continue
            while level < layer:
                with span("halve"):
                    planes, level = planes.halved(), level + 1
            try:
                with span(_ENCODE[layer]):
                    frame = self._encoders[layer].encode(planes, at=at, keyframe=self._is_keyframe_due(layer, began))
            except Exception as error:  # noqa: BLE001  # the other layers go on; raised below
                self._encoders[layer].reset()
                failed = failed or error
                continue
            ended = time.monotonic()
            self._costs_s[layer] += _SMOOTHING * (ended - began - self._costs_s[layer])
            if frame is not None:
                if frame.is_keyframe:
                    self._keyframe_at[layer] = ended
                yield frame
            began = time.monotonic()
            best = False
        if failed is not None:
            raise failed

    def _begin(self) -> float:
        now = time.monotonic()
        if self._began_at is not None:
            self._interval_s += _SMOOTHING * (now - self._began_at - self._interval_s)
        self._began_at = now
        load = sum(self._costs_s[layer] for layer in self._audience) / self._interval_s
        self.overloaded = len(self._audience) > 1 and load > (_RELAXED if self.overloaded else _OVERLOADED)
        self._odd = not self._odd
        return now

    def _is_keyframe_due(self, layer: int, now: float) -> bool:
        with self._lock:
            due = layer in self._wanted and now - self._keyframe_at[layer] >= KEYFRAME_GAP_S
            if due:
                self._wanted.discard(layer)
            return due

    def _want_at_once(self, layers: frozenset[int]) -> None:
        for layer in layers:
            self._wanted.add(layer)
            self._keyframe_at[layer] = -KEYFRAME_GAP_S
