"""How long an H.264 stream's word about its orientation lasts (ITU-T H.264, D.2.27)."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.files.orientation import Orientation, Said, said_in
from mien.media.files.video_reader import VideoImage, VideoReader
from support.muxing import Film, mux

START, IDR, SLICE = b"\0\0\0\1", b"\x65\x88", b"\x41\x9a"
QUARTER = 0x4000
"""A quarter turn, in 2^-16 of a whole one."""


def sei(*, turn: int = QUARTER, period: int = 1, cancel: bool = False, before: bytes = b"") -> bytes:
    """Return a unit with a display orientation message, behind other messages."""
    code = f"{period + 1:b}"
    bits = "1" if cancel else f"000{turn:016b}{'0' * (len(code) - 1)}{code}0"
    bits += "1" + "0" * (-(len(bits) + 1) % 8)
    message = int(bits, 2).to_bytes(len(bits) // 8)
    payload = before + bytes([47, len(message)]) + message + b"\x80"
    while (found := next((at for at in range(len(payload) - 2) if _needs_care(payload, at)), None)) is not None:
        payload = payload[: found + 2] + b"\3" + payload[found + 2 :]
    return START + b"\x06" + payload


def _needs_care(payload: bytes, at: int) -> bool:
    return payload[at : at + 2] == b"\0\0" and payload[at + 2] < 3


def lengths(units: bytes) -> bytes:
    """Return units with their lengths before them."""
    return b"".join(len(unit).to_bytes(4) + unit for unit in units.split(START) if unit)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        pytest.param(START + SLICE, Said(), id="nothing"),
        pytest.param(START + IDR, Said(begins=True), id="a new sequence"),
        pytest.param(sei(period=0) + START + SLICE, Said(turns=True), id="for this picture"),
        pytest.param(sei(period=1) + START + SLICE, Said(turns=True, lasts=True), id="for all"),
        pytest.param(sei(period=300) + START + IDR, Said(True, True, True), id="for 300"),
        pytest.param(sei(cancel=True) + START + SLICE, Said(turns=True), id="no more"),
        pytest.param(
            sei(turn=0, period=1) + START + SLICE, Said(turns=True, lasts=True), id="with emulation prevention"
        ),
        pytest.param(
            sei(before=b"\x05\xff\x02" + b"x" * 257) + START + SLICE, Said(turns=True, lasts=True), id="behind another"
        ),
        pytest.param(START + SLICE + sei(), Said(), id="behind the slice"),
    ],
)
def test_what_a_picture_says_is_read_in_both_forms(picture, said):
    assert said_in(picture) == said
    assert said_in(lengths(picture), 4) == said


@given(st.binary(max_size=200), st.sampled_from([0, 1, 2, 4]))
def test_no_bytes_break_it(picture, length_bytes):
    said_in(picture, length_bytes)
    said_in(sei()[:-1] + picture, length_bytes)


def film(path: Path, words: dict[int, bytes], *, b_frames: int = 2) -> Path:
    """Write 24 raw frames, an IDR picture every 12, and units before coded pictures, by their number."""
    coded = Film(b_frames=b_frames, pts=range(24), options={"g": "12", "sc_threshold": "0"})
    raw = mux(path.with_suffix(".plain"), coded, form="h264")
    with av.open(str(raw), format="h264") as container:
        pictures = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert len(pictures) == 24
    for number, unit in words.items():
        first = next(at for at in range(len(pictures[number])) if pictures[number][at : at + 3] == b"\0\0\1")
        parts = pictures[number][first:].split(b"\0\0\1")
        slice_at = next(place for place, part in enumerate(parts) if part and part[0] & 0x1F in range(1, 6))
        before, after = b"\0\0\1".join(parts[:slice_at]), b"\0\0\1".join(parts[slice_at:])
        pictures[number] = before + unit + b"\0\0\1" + after
    path.write_bytes(b"".join(pictures))
    return path


def in_mp4(raw: Path) -> Path:
    """Put raw frames into an MP4 as they are, with their lengths before the units."""
    target = raw.with_suffix(".mp4")
    with av.open(str(raw), format="h264") as source, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        pictures = [bytes(packet) for packet in source.demux(video=0) if packet.size]
        for number, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 25), number, number
            out.mux(packet)
    return target


def turned(path: Path) -> list[bool]:
    """Return which frames are turned, in the order in which they are shown."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        orientation = Orientation(stream)
        seen = []
        for packet in container.demux(stream):
            orientation.expect(packet)
            seen += [orientation(frame) is not None for frame in packet.decode()]
    return seen


def test_one_that_lasts_turns_every_frame_until_the_next_idr_picture(tmp_path):
    assert turned(film(tmp_path / "a.h264", {0: sei(period=1)})) == [True] * 12 + [False] * 12


def test_it_lasts_in_a_container_as_well(tmp_path):
    assert turned(in_mp4(film(tmp_path / "a.h264", {0: sei(period=1)}, b_frames=0))) == [True] * 12 + [False] * 12


def test_one_that_does_not_turns_its_own_frame(tmp_path):
    assert turned(film(tmp_path / "a.h264", {0: sei(period=0)})) == [True] + [False] * 23


def test_another_one_takes_its_place_and_one_that_cancels_ends_it(tmp_path):
    shown = turned(film(tmp_path / "a.h264", {12: sei(period=1), 13: sei(cancel=True)}))
    assert shown[:13] == [False] * 12 + [True]
    assert not all(shown[12:])
    assert shown[-6:] == [False] * 6


def test_a_film_that_says_once_how_it_is_turned_has_one_size(tmp_path):
    with VideoReader(film(tmp_path / "a.h264", {0: sei(period=1), 12: sei(period=1)})) as read:
        images = [piece.image for piece in read if isinstance(piece, VideoImage)]
    assert {image.shape for image in images} == {(64, 48, 3)}
    assert not any("changes its size" in note for note in read.notes)
