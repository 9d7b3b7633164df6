"""A low-pass filter that is strong while a signal rests and weak while it moves."""

import numpy as np
from numpy.typing import NDArray


class OneEuro:
    """Smooth an array over time: no jitter at rest, no lag in motion.

    Args:
        min_cutoff_hz: Cutoff at rest; lower is calmer.
        responsiveness: How much the cutoff rises with speed, in Hz per (unit per second).
        speed_cutoff_hz: Cutoff of the speed estimate.

    Source:
        Casiez, Roussel, Vogel 2012, doi:10.1145/2207676.2208639.

    Example:
        >>> smooth = OneEuro(min_cutoff_hz=1.0, responsiveness=0.0)
        >>> first = smooth(np.array([0.0]), at=0.0)
        >>> float(smooth(np.array([1.0]), at=1 / 30)[0]) < 0.2
        True
    """

    def __init__(self, *, min_cutoff_hz: float, responsiveness: float, speed_cutoff_hz: float = 1.0) -> None:
        self._min_cutoff_hz = min_cutoff_hz
        self._responsiveness = responsiveness
        self._speed_cutoff_hz = speed_cutoff_hz
        self._value: NDArray[np.float32] | None = None
        self._speed: NDArray[np.float32] | None = None
        self._at = 0.0

    def __call__(self, value: NDArray[np.float32], *, at: float, unit: float = 1.0) -> NDArray[np.float32]:
        """Return the smoothed value.

        Args:
            value: Same shape in every call.
            at: Seconds; later than in the last call, or the last value is returned.
            unit: What counts as one unit of `value` now, such as the size of the face in pixels.
        """
        if self._value is None or self._speed is None:
            self._value, self._speed = value.astype(np.float32), np.zeros_like(value, np.float32)
        elif at > self._at:
            dt = at - self._at
            self._speed = self._speed + share(self._speed_cutoff_hz, dt) * ((value - self._value) / dt - self._speed)
            speed = np.asarray(np.abs(self._speed) / unit, np.float32)
            cutoff = np.float32(self._min_cutoff_hz) + np.float32(self._responsiveness) * speed
            self._value = (self._value + share(cutoff, dt) * (value - self._value)).astype(np.float32)
        self._at = max(at, self._at)
        return self._value


def share(cutoff_hz: float | NDArray[np.float32], dt: float) -> NDArray[np.float32]:
    """Return how much of a new value a first-order low-pass takes in after `dt` seconds, 0 to 1.

    Example:
        >>> round(float(share(1.0, 1 / (2 * np.pi))), 2)
        0.5
    """
    turn = 2 * np.pi * np.asarray(cutoff_hz, np.float32) * dt
    return np.asarray(turn / (1 + turn), np.float32)
