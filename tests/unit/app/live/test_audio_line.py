import asyncio
import statistics
import time

from mien.app.live.audio_line import LEAD_S, AudioLine
from mien.media.webrtc.ingest.audio import CapturedAudio


def piece(number: int, at: float) -> CapturedAudio:
    return CapturedAudio(bytes([0xFC, number % 256]), number * 960, at)


async def test_sound_waits_for_its_picture_and_leaves_a_little_before_it():
    epoch = time.monotonic()
    lags = []

    def push(sound):
        lags.append(time.monotonic() - epoch - sound.pts / 48_000)

    line = AudioLine(epoch=epoch, delay_s=lambda: 0.2 + LEAD_S, wanted=lambda: True, push=push)

    async def sounds():
        for number in range(10):
            yield piece(number, epoch + number * 0.02)
            await asyncio.sleep(0.02)
        while len(lags) < 10:  # noqa: ASYNC110  # as long as it takes
            await asyncio.sleep(0.01)

    await line.run(sounds())
    assert min(lags) > 0.19
    assert statistics.median(lags) < 0.5  # and not the next time that somebody looks


async def test_sound_is_less_than_a_fifth_of_a_second_ahead_of_a_picture_that_takes_longer():
    epoch = time.monotonic()
    lags = []
    line = AudioLine(
        epoch=epoch,
        delay_s=lambda: 0.5,
        wanted=lambda: True,
        push=lambda sound: lags.append(time.monotonic() - epoch - sound.pts / 48_000),
    )

    async def sounds():
        for number in range(10):
            yield piece(number, epoch + number * 0.02)
        while len(lags) < 10:  # noqa: ASYNC110  # as long as it takes
            await asyncio.sleep(0.01)

    await line.run(sounds())
    assert 0.3 < min(lags) < 0.46


async def test_packets_pass_unchanged_and_evenly_from_one_publisher_and_the_next():
    sent = []
    epoch = time.monotonic() - 10
    line = AudioLine(epoch=epoch, delay_s=lambda: 0.0, wanted=lambda: True, push=sent.append)

    async def sounds(first, at):
        for number in range(5):
            yield piece(first + number, at + number * 0.02)
        await asyncio.sleep(0.02)

    await line.run(sounds(0, epoch + 1))
    await line.run(sounds(70_000, epoch + 3))
    assert [sound.data[1] for sound in sent] == [0, 1, 2, 3, 4, *(n % 256 for n in range(70_000, 70_005))]
    expected = [48_000 + n * 960 for n in range(5)] + [144_000 + n * 960 for n in range(5)]
    assert [sound.pts for sound in sent] == expected


async def test_nothing_is_sent_while_nobody_listens_and_nothing_piles_up():
    sent = []
    epoch = time.monotonic()
    line = AudioLine(epoch=epoch, delay_s=lambda: 0.0, wanted=lambda: False, push=sent.append)

    async def sounds():
        for number in range(400):
            yield piece(number, epoch)
        await asyncio.sleep(0.05)

    await line.run(sounds())
    assert sent == []
    assert len(line._waiting) == 0
