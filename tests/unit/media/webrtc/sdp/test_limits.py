"""Bombs: texts of at most the size limit that are made to cost much. What is counted is work, never time."""

import contextlib
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import SdpError, SdpLimitError
from mien.media.webrtc.ice.candidates import MAX_CANDIDATES
from mien.media.webrtc.sdp.limits import (
    MAX_LINES,
    MAX_OF_A_KIND,
    MAX_SDP_BYTES,
    MAX_SECTIONS,
    MAX_VALUE_LENGTH,
)
from mien.media.webrtc.sdp.parse import read_answer, read_fragment, read_offer
from mien.media.webrtc.sdp.text import read_description
from support.bombs import BOMBS, GOOD, dearest

OFFERS = sorted((Path(__file__).parents[4] / "data").glob("*offers/*.sdp"))


def lines_run(read, text: str) -> int:
    """Return how many lines of our own code run to read a text; it is the same on every machine."""
    count = 0

    def trace(frame, event, _argument):
        nonlocal count
        if "mien" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read(text)
    except SdpError:
        pass
    finally:
        sys.settrace(before)
    return count


def as_viewer(text):
    return read_offer(text, direction="recvonly")


def as_publisher(text):
    return read_offer(text, direction="sendonly")


def as_answer(text):
    return read_answer(text, kinds=["video"], may_reach=lambda _: True)


READERS = [as_viewer, as_publisher, as_answer, read_fragment]
MOST_LINES = 60_000
"""On the slowest machine we know that is 20 ms: an offer of a browser takes 8,000."""


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused(text):
    assert len(text) <= MAX_SDP_BYTES
    with pytest.raises(SdpError) as refused:
        as_viewer(text)
    assert refused.value.code in {"live.sdp", "live.sdp_limit"}
    assert len(str(refused.value)) < 300, "what is refused is not repeated at length"


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_little(read, text):
    assert lines_run(read, text) < MOST_LINES


@pytest.mark.parametrize(
    "name", ["feedback", "formats", "parameters", "candidates", "extensions", "sources", "layers", "sections"]
)
def test_what_there_is_too_much_of_has_a_code_of_its_own(name):
    with pytest.raises(SdpLimitError) as refused:
        as_viewer(BOMBS[name])
    assert refused.value.code == "live.sdp_limit"


def test_the_dearest_text_that_is_taken_costs_no_more():
    text = dearest()
    assert text.count("\n") < MAX_LINES
    assert len(text) < MAX_SDP_BYTES
    read = as_viewer(text)
    assert read.kinds == ("video",)
    assert len(read.candidates) == MAX_CANDIDATES
    assert len(read.text) < 4096, "what aiortc parses, by loops within loops, is short"
    assert lines_run(as_viewer, text) < MOST_LINES


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["rtpmap", "fmtp", "rtcp-fb", "extmap", "candidate", "ssrc", "ssrc-group", "group", "rid", "simulcast"]
            ),
            st.text(st.sampled_from("0123456789 *:;=/,~-udphostcandiateVP8"), max_size=60),
            st.integers(1, 400),
        ),
        max_size=12,
    )
)
def test_work_stays_within_its_bound_whatever_is_said_how_often(lines):
    text = GOOD + "".join(f"a={name}:{value}\r\n" * times for name, value, times in lines)
    for read in (as_viewer, as_publisher):
        assert lines_run(read, text[:MAX_SDP_BYTES]) < MOST_LINES


@given(st.text(max_size=400))
@settings(max_examples=200)
def test_any_text_is_read_or_refused_and_nothing_else(text):
    for read in READERS:
        for whole in (text, "v=0\n" + text, GOOD + text):
            with contextlib.suppress(SdpError):
                assert read(whole)


@pytest.mark.parametrize("path", OFFERS, ids=lambda path: path.stem)
def test_what_clients_send_has_room_to_grow(path):
    """At most half of every limit."""
    text = path.read_text()
    description = read_description(text)
    assert len(text) * 2 < MAX_SDP_BYTES
    assert text.count("\n") * 2 < MAX_LINES
    assert len(description.sections) * 2 <= MAX_SECTIONS
    for place in (description, *description.sections):
        names = [attribute.name for attribute in place.attributes]
        for name in set(names):
            assert names.count(name) * 2 <= MAX_OF_A_KIND.get(name, MAX_LINES), name
            assert all(len(value) * 2 <= MAX_VALUE_LENGTH.get(name, 4096) for value in place.all(name)), name


@pytest.mark.parametrize("sign", ["\t", "\0", "\x0b", "\x0c", "\x1b", "\x1c", "\x7f", "\r"])
def test_a_sign_that_parts_words_or_lines_for_some_parsers_only_is_refused(sign):
    for text in (GOOD + f"a=candidate:1{sign}1 udp 1 1.1.1.1 5000 typ host\r\n", GOOD + f"a=x:y{sign}a=mid:1\r\n"):
        with pytest.raises(SdpError, match=r"control character|NUL"):
            as_viewer(text)
