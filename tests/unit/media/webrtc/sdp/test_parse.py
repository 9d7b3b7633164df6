import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import SdpError
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.sdp.parse import (
    MAX_CANDIDATES,
    answer_to,
    choose_codec,
    read_fragment,
    read_offer,
    with_start_bitrate,
)

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mids}\r\n"
MEDIA = (
    "m={kind} 9 UDP/TLS/RTP/SAVPF {pt}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\n"
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n{codec}"
)
VP8 = "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
OPUS = "a=rtpmap:111 opus/48000/2\r\n"
CANDIDATE = "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host"


def video(mid="0", direction="sendonly"):
    return MEDIA.format(kind="video", pt="96 97", mid=mid, direction=direction, codec=VP8)


def audio(mid="1", direction="sendonly"):
    return MEDIA.format(kind="audio", pt="111", mid=mid, direction=direction, codec=OPUS)


def offer(*media, mids="0 1"):
    return HEAD.format(mids=mids) + "".join(media)


def test_a_good_offer_tells_its_kinds_in_order():
    assert read_offer(offer(video(), audio()), direction="sendonly").kinds == ("video", "audio")
    assert read_offer(offer(audio("0"), video("1")), direction="sendonly").kinds == ("audio", "video")
    assert read_offer(offer(video(), mids="0"), direction="sendonly").kinds == ("video",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "v=0", id="nothing"),
        pytest.param("GET / HTTP/1.1", "v=0", id="something else"),
        pytest.param(offer(), "one video", id="no media"),
        pytest.param(offer(audio()), "one video", id="sound alone"),
        pytest.param(offer(*[video(str(n)) for n in range(40)]), "16 media sections", id="many videos"),
        pytest.param(offer(video(direction="recvonly")), "sendonly", id="wrong way"),
        pytest.param(offer(video(), audio("0"), mids="0 0"), "BUNDLE", id="one name for two"),
        pytest.param(offer(video()).replace("a=rtcp-mux\r\n", ""), "rtcp-mux", id="no mux"),
        pytest.param(offer(video()).replace("a=ice-ufrag:abcd\r\n", ""), "ICE", id="no credentials"),
        pytest.param(offer(video()).replace("a=fingerprint:sha-256", "a=x:"), "DTLS", id="no fingerprint"),
        pytest.param(offer(video()) + f"a={CANDIDATE}\r\n" * (MAX_CANDIDATES + 1), "candidates", id="a flood"),
        pytest.param(offer(video()) + "\0", "NUL", id="a NUL"),
        pytest.param("v=0" + "x" * 70_000, "65536", id="too long"),
    ],
)
def test_a_bad_offer_is_refused_with_its_reason(text, reason):
    with pytest.raises(SdpError, match=reason):
        read_offer(text, direction="sendonly")


@given(cut=st.integers(0, 1200), junk=st.text(max_size=20))
def test_a_damaged_offer_is_read_or_refused_and_nothing_else(cut, junk):
    text = offer(video(), audio())
    with contextlib.suppress(SdpError):
        assert read_offer(text[:cut] + junk + text[cut + 3 :], direction="sendonly").kinds


def test_a_fragment_gives_its_candidates():
    text = (
        f"a=ice-ufrag:abcd\r\na=ice-pwd:x\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\na={CANDIDATE}\r\na=end-of-candidates\r\n"
    )
    fragment = read_fragment(text)
    assert (fragment.ufrag, fragment.complete) == ("abcd", True)
    (candidate,) = fragment.candidates
    assert (candidate.address, candidate.port, candidate.kind) == ("192.0.2.7", 50_000, "host")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("hello", id="something else"),
        pytest.param("a=candidate:1 1 udp", id="half a candidate"),
        pytest.param("a=candidate:1 1 udp x 192.0.2.7 y typ host", id="words for numbers"),
        pytest.param(f"a={CANDIDATE}\r\n" * (MAX_CANDIDATES + 1), id="a flood"),
    ],
)
def test_a_bad_fragment_is_refused(text):
    with pytest.raises(SdpError):
        read_fragment(text)


def test_the_hint_goes_to_video_codecs_alone_and_joins_parameters_that_are_there():
    h264 = "a=rtpmap:98 H264/90000\r\na=fmtp:98 packetization-mode=1\r\n"
    hinted = with_start_bitrate(offer(video(), audio()) + h264, start_kbps=2000, max_kbps=4000).split("\r\n")
    hint = "x-google-start-bitrate=2000;x-google-max-bitrate=4000"
    assert hinted[hinted.index("a=rtpmap:96 VP8/90000") + 1] == f"a=fmtp:96 {hint}"
    assert f"a=fmtp:98 packetization-mode=1;{hint}" in hinted
    assert sum(hint in line for line in hinted) == 2
    assert "a=fmtp:97 apt=96" in hinted


def test_media_payload_types_leave_out_retransmissions():
    text = offer(video(), audio())
    read = read_offer(text, direction="sendonly")
    assert answer_to(read, text).payload_types == {"video": {96: "VP8"}, "audio": {111: "opus"}}
    assert read.ufrag == "abcd"


@pytest.mark.parametrize(("setup", "is_client"), [("active", True), ("actpass", False), ("passive", False)])
def test_an_offer_says_whether_its_maker_must_be_the_dtls_client(setup, is_client):
    text = offer(video(), audio()).replace("a=setup:actpass", f"a=setup:{setup}")
    assert f"a=setup:{setup}" in text
    assert read_offer(text, direction="sendonly").is_dtls_client is is_client


@pytest.mark.parametrize(("said", "taken"), [("Z0LAFQ==,aM4=", "Z0LAFQ==,aM4="), ("not base64!", ""), ("", "")])
def test_an_offer_names_the_parameter_sets_of_its_video(said, taken):
    h264 = f"a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={said}\r\n"
    text = offer(MEDIA.format(kind="video", pt="96", mid="0", direction="sendonly", codec=h264), mids="0")
    assert read_offer(text, direction="sendonly").parameter_sets == taken
    assert read_offer(offer(video(), audio()), direction="sendonly").parameter_sets == ""


CHROMIUM_VIDEO = (
    "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
    "a=rtpmap:98 H264/90000\r\n"
    "a=fmtp:98 level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile}\r\n"
)


def video_of(codec):
    return offer(MEDIA.format(kind="video", pt="96 97 98", mid="0", direction="recvonly", codec=codec), mids="0")


@pytest.mark.parametrize(
    ("mode", "profile", "takes"),
    [
        pytest.param(1, "42e01f", True, id="constrained baseline"),
        pytest.param(1, "42001F", True, id="baseline"),
        pytest.param(0, "42e01f", False, id="whole pictures in a packet"),
        pytest.param(1, "640c1f", False, id="high"),
        pytest.param(1, "4d001f", False, id="main"),
        pytest.param(1, "42", False, id="cut short"),
    ],
)
def test_h264_counts_where_what_we_send_can_be_taken(mode, profile, takes):
    found = read_offer(video_of(CHROMIUM_VIDEO.format(mode=mode, profile=profile)), direction="recvonly")
    assert found.takes == ((VideoCodec.VP8, VideoCodec.H264) if takes else (VideoCodec.VP8,))


def test_codecs_that_are_not_ours_do_not_count():
    strange = "a=rtpmap:96 AV1/90000\r\na=rtpmap:97 VP9/90000\r\na=rtpmap:98 vp8/90000\r\n"
    assert read_offer(video_of(strange), direction="recvonly").takes == (VideoCodec.VP8,)


def test_the_operator_s_order_decides_among_what_everybody_can_take():
    both, old, apple = frozenset(VideoCodec), frozenset({VideoCodec.VP8}), frozenset({VideoCodec.H264})
    ordered = [VideoCodec.H264, VideoCodec.VP8]
    assert choose_codec(ordered, []) is VideoCodec.H264
    assert choose_codec(ordered, [both, both]) is VideoCodec.H264
    assert choose_codec(ordered, [both, old]) is VideoCodec.VP8
    assert choose_codec(ordered[::-1], [both]) is VideoCodec.VP8
    with pytest.raises(SdpError, match="none of the codecs of this server \\(VP8\\)"):
        choose_codec([VideoCodec.VP8], [apple])
    with pytest.raises(SdpError, match="none"):
        choose_codec(ordered, [old, apple])
