"""Sound and picture stay together through the treatment, judged at the viewer from flashes and beeps."""

import itertools
import statistics
import time
from collections import deque
from collections.abc import Iterator

import numpy as np
import pytest
from aiortc import RTCRtpReceiver

from mien.media.webrtc.aiortc_internals import watch_clock
from mien.vision.types import Image, TreatedFrame
from support.live import Camera, Microphone, Watcher, first_rtp_timestamp, publish, serving, watching
from support.pipelines import SmallFactory

PERIOD_S = 1.0
FLASH_S = 0.2
FPS = 20.0


def flash(size_wh: tuple[int, int], number: int) -> Image:
    on = number / FPS % PERIOD_S < FLASH_S
    return np.full((size_wh[1], size_wh[0], 3), 235 if on else 20, np.uint8)


def beep(at: float) -> np.ndarray:
    times = at + np.arange(960) / 48_000
    tone = 12_000 * np.sin(2 * np.pi * 440 * times)
    return np.where(times % PERIOD_S < FLASH_S, tone, 0).astype(np.int16)


class Delayed:
    """Shows the mean brightness of the picture that came `frames` before; so a delay line holds it back."""

    def __init__(self, frames: int) -> None:
        self._line: deque[TreatedFrame] = deque()
        self._frames = frames

    def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
        self._line.append(TreatedFrame(np.full_like(image, round(float(image.mean()))), at=at))
        return self._line.popleft() if len(self._line) > self._frames else None

    def flush(self) -> Iterator[TreatedFrame]:
        yield from ()


def starts(levels: list[tuple[float, float]], threshold: float) -> list[float]:
    """Return the times at which a level rises above `threshold`."""
    pairs = itertools.pairwise(levels)
    return [at for (_, before), (at, level) in pairs if before < threshold <= level]


class Reports:
    """Collects what the server's sender reports say about one media track, as a player does to stay in time."""

    def __init__(self, receiver: RTCRtpReceiver, kind: str, clock_rate: int) -> None:
        self._receiver = receiver
        self._clock_rate = clock_rate
        self._wall_offsets: list[float] = []
        watch_clock(receiver, kind, clock_rate, range(256), self)

    def arrived(self, kind: str, raw_timestamp: int, clock_rate: int) -> None:
        """Packets say nothing here."""

    def reported(self, kind: str, ntp_seconds: float, raw_timestamp: int) -> None:  # noqa: ARG002  # one kind each
        ahead = (raw_timestamp - first_rtp_timestamp(self._receiver)) % (1 << 32)
        ticks = ahead - (1 << 32 if ahead >= 1 << 31 else 0)  # a report may speak of a time before the first picture
        self._wall_offsets.append(ntp_seconds - ticks / self._clock_rate)

    def wall_time(self, pts: int) -> float:
        """Return when the server says that a frame was taken. Players average over the reports."""
        return pts / self._clock_rate + statistics.mean(self._wall_offsets)


def lateness_of_beeps(watcher: Watcher, light: Reports, noise: Reports) -> list[float]:
    """Return how much later each beep is played than its flash, in seconds, by a player that follows reports."""
    levels = [
        (light.wall_time(frame.pts), float(frame.to_ndarray(format="gray").mean())) for _, frame in watcher.frames
    ]
    louds = []
    for _, frame in watcher.sounds:
        samples = np.abs(frame.to_ndarray().reshape(-1, 2)[:, 0].astype(np.int32))
        begin = noise.wall_time(frame.pts)
        louds += [(begin + n * 0.001, float(loud)) for n, loud in enumerate(samples.reshape(-1, 48).max(axis=1))]
    flashes, beeps = starts(levels, 128), starts(louds, 3000)
    beeps = [at for n, at in enumerate(beeps) if n == 0 or at - beeps[n - 1] > PERIOD_S / 2]
    # The first flash may be under way when the first pictures arrive: they then show where it is, not where it begins.
    return [min((beep - flash for beep in beeps), key=abs) for flash in flashes[1:]]


@pytest.mark.parametrize("delay_frames", [0, 6])
async def test_a_beep_is_heard_when_its_flash_is_seen(delay_frames):
    began = time.monotonic()
    camera = Camera(flash, size_wh=(160, 120), fps=FPS, began=began)
    microphone = Microphone(beep, began=began)
    async with serving(SmallFactory(pipelines=[Delayed(delay_frames)])) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with watching(client, made["whep_url"]) as watcher:
            video, audio = watcher.session.connection.getReceivers()
            light, noise = Reports(video, "video", 90_000), Reports(audio, "audio", 48_000)
            session = await publish(client, made["whip_url"], camera, microphone, token=made["token"])
            await watcher.until(lambda _: time.monotonic() - began > 8.6, timeout_s=60)  # between two flashes
            await session.close_peer()
    followed = lateness_of_beeps(watcher, light, noise)
    assert len(followed) > 4
    # ITU-R BT.1359: people notice sound that is 45 ms early. A machine that stands still may spoil one of them.
    assert sorted(abs(late) for late in followed)[-2] < 0.045
    # A player that follows no reports gets both at nearly the same time as well: sound waits for the picture.
    waits = [at - noise.wall_time(frame.pts) for at, frame in watcher.sounds[50:]]
    held = [at - light.wall_time(frame.pts) for at, frame in watcher.frames[20:]]
    assert abs(statistics.median(waits) - statistics.median(held)) < 0.2
