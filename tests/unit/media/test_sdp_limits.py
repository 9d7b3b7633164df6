"""Bombs: texts of at most the size limit that are made to cost much. What is counted is work, never time."""

import contextlib
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import SdpError, SdpLimitError
from mien.media.sdp import read_answer, read_fragment, read_offer
from mien.media.sdp_limits import (
    MAX_LINES,
    MAX_OF_A_KIND,
    MAX_SDP_BYTES,
    MAX_SECTIONS,
    MAX_VALUE_LENGTH,
)
from mien.media.sdp_text import read_description

OFFERS = sorted((Path(__file__).parents[2] / "data").glob("*offers/*.sdp"))
HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
MEDIA = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\na=recvonly\r\na=ice-ufrag:abcd\r\n"
    "a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 " + ":".join(["AA"] * 32) + "\r\na=setup:actpass\r\n"
    "a=rtpmap:96 VP8/90000\r\n"
)
GOOD = HEAD + MEDIA


def filled(line: str, before: str = GOOD) -> str:
    """Return an offer that is as long as may be with copies of a line, in which {n} counts."""
    lines = [before]
    size = len(before)
    for number in range(MAX_SDP_BYTES):
        text = line.replace("{n}", str(number)) + "\r\n"
        if size + len(text) > MAX_SDP_BYTES:
            break
        lines.append(text)
        size += len(text)
    return "".join(lines)


BOMBS = {
    "formats and their feedbacks": (
        HEAD
        + MEDIA
        + "".join(f"a=rtpmap:{number} VP8/90000\r\n" for number in range(1, 1200))
        + "a=rtcp-fb:* nack\r\n" * 2000
    )[:MAX_SDP_BYTES],
    "feedback": filled("a=rtcp-fb:96 nack"),
    "feedback for all": filled("a=rtcp-fb:* nack"),
    "formats": filled("a=rtpmap:{n} VP8/90000"),
    "parameters": filled("a=fmtp:96 x={n}"),
    "long parameters": filled("a=fmtp:96 " + "a=1;" * 1020),
    "sections": filled("m=video 9 UDP/TLS/RTP/SAVPF 96"),
    "bare sections": filled("m=a 0 a 0"),
    "payload types": HEAD + "m=video 9 UDP/TLS/RTP/SAVPF" + " 96" * 20_000 + "\r\n",
    "candidates": filled("a=candidate:{n} 1 udp 1 1.1.1.1 5000 typ host"),
    "extensions": filled("a=extmap:{n} urn:x"),
    "sources": filled("a=ssrc:{n} cname:x"),
    "groups of sources": filled("a=ssrc-group:FID {n} {n}"),
    "bundles": filled("a=group:BUNDLE 0", HEAD),
    "a bundle": "v=0\r\na=group:BUNDLE" + " x" * 30_000 + "\r\n" + MEDIA,
    "fingerprints": filled("a=fingerprint:sha-256 AA"),
    "layers": filled("a=rid:{n} send"),
    "one long line": GOOD + "a=x:" + "y" * 60_000,
    "one long candidate": GOOD + "a=candidate:" + " " * 60_000 + "x",
    "one long name": GOOD + "a=" + "n" * 60_000,
    "line feeds": GOOD + "\n" * 60_000,
    "carriage returns": "v=0\r" + "a=x\r" * 15_000,
    "carriage returns alone": "\r" * 60_000,
    "nothing but NULs": "v=0" + "\0" * 60_000,
    "short lines": filled("a=x"),
    "other lines": filled("b=AS:{n}"),
    "separators of Unicode": "v=0\u2028" * 15_000,
    "wide letters": GOOD + "a=mid:" + "\U0001f600" * 15_000,
    "blanks": GOOD + "a=rtpmap:" + "1 " * 30_000,
    "digits": GOOD + "a=rtpmap:" + "9" * 60_000 + " VP8/90000\r\n",
}


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
    """As many of everything as may be, in as many sections as may be, as long as may be."""
    section = MEDIA.replace("a=mid:0\r\n", "") + "".join(f"a=rtpmap:{n} VP8/90000\r\n" for n in range(97, 120))
    text = HEAD + section * MAX_SECTIONS
    text += "a=rtcp-fb:* nack\r\n" * 300 + "".join(f"a=fmtp:{n} a=1;b=2\r\n" for n in range(97, 120))
    text += "a=candidate:1 1 udp 1 1.1.1.1 5000 typ host\r\n" * 64
    assert text.count("\n") < MAX_LINES
    assert len(text) < MAX_SDP_BYTES
    assert as_viewer(text).kinds == ("video",)
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
@settings(max_examples=60, deadline=None)
def test_work_stays_within_its_bound_whatever_is_said_how_often(lines):
    text = GOOD + "".join(f"a={name}:{value}\r\n" * times for name, value, times in lines)
    for read in (as_viewer, as_publisher):
        assert lines_run(read, text[:MAX_SDP_BYTES]) < MOST_LINES


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
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
