import asyncio
import time

import av
import numpy as np

from mien.media.sound import OpusEncoder
from mien.sessions.sound_line import LEAD_S, SoundLine


def piece() -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="stereo")
    frame.sample_rate = 48_000
    return frame


async def test_sound_waits_for_its_picture_and_leaves_a_little_before_it():
    epoch = time.monotonic()
    lags = []

    def push(packet):
        lags.append(time.monotonic() - epoch - float(packet.pts * packet.time_base))

    line = SoundLine(OpusEncoder(epoch=epoch), delay_s=lambda: 0.2 + LEAD_S, wanted=lambda: True, push=push)

    async def frames():
        for _ in range(10):
            yield piece(), time.monotonic()
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)

    await line.run(frames())
    assert len(lags) == 10
    assert all(0.19 < lag < 0.26 for lag in lags)


async def test_nothing_is_encoded_while_nobody_listens_and_nothing_piles_up():
    packets = []
    epoch = time.monotonic()
    line = SoundLine(OpusEncoder(epoch=epoch), delay_s=lambda: 0.0, wanted=lambda: False, push=packets.append)

    async def frames():
        for _ in range(400):
            yield piece(), time.monotonic()
        await asyncio.sleep(0.05)

    await line.run(frames())
    assert packets == []
    assert len(line._waiting) <= 250
