"""Offers by the letter of the RFCs and by the habit of clients: what is taken, what is refused alone, the answer."""

import re
from pathlib import Path

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy, RTCConfiguration
from aiortc.sdp import SessionDescription

from mien.errors import SdpError
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.sdp.parse import answer_to, read_answer, read_offer

DATA = Path(__file__).parents[4] / "data"
FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
TRANSPORT = f"a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n{FINGERPRINT}\r\na=setup:actpass\r\n"
OPUS = "a=rtpmap:111 opus/48000/2\r\n"
VP8 = "a=rtpmap:96 VP8/90000\r\n"
DATA_CHANNEL = (
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n"
    "a=sctp-port:5000\r\na=max-message-size:262144\r\n" + TRANSPORT
)


def media(kind, codec, *, mid=None, direction="sendonly", port=9, formats="96", more=TRANSPORT):
    mid_line = f"a=mid:{mid}\r\n" if mid is not None else ""
    direction_line = f"a={direction}\r\n" if direction else ""
    return (
        f"m={kind} {port} UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\n{mid_line}{direction_line}"
        f"a=rtcp-mux\r\n{more}{codec}"
    )


def audio(mid: str | None = "0", codec=OPUS, **more):
    return media("audio", codec, mid=mid, formats="111", **more)


def video(mid: str | None = "1", codec=VP8, **more):
    return media("video", codec, mid=mid, **more)


def offer(*sections, session="a=group:BUNDLE 0 1 2\r\n"):
    return f"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{session}" + "".join(sections)


async def answered(text, direction="sendonly"):
    """Return what was read of an offer, and the answer that aiortc and we give to it."""
    read = read_offer(text, direction=direction)
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    try:
        for kind in read.kinds:
            connection.addTransceiver(kind, direction="recvonly" if direction == "sendonly" else "sendonly")
        await connection.setRemoteDescription(RTCSessionDescription(read.text, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return read, answer_to(read, connection.localDescription.sdp).text
    finally:
        await connection.close()


def m_lines(answer):
    return [line for line in answer.split("\r\n") if line.startswith("m=")]


def mids(answer):
    return re.findall(r"a=mid:(\S+)", answer)


TAKEN = "audio", "video"
SHAPES = {
    "as browsers write it": (offer(audio(), video()), TAKEN),
    "the bundle in another order": (offer(audio(), video(), session="a=group:BUNDLE 1 0\r\n"), TAKEN),
    "other groups beside it": (
        offer(audio(), video(), session="a=group:LS 0 1\r\na=group:BUNDLE 1 0\r\na=group:BUNDLE 7\r\n"),
        TAKEN,
    ),
    "no direction": (offer(audio(direction=None), video(direction=None)), TAKEN),
    "both ways": (offer(audio(direction="sendrecv"), video(direction="sendrecv")), TAKEN),
    "the direction of the session": (
        offer(audio(direction=None), video(direction=None), session="a=group:BUNDLE 0 1\r\na=recvonly\r\n").replace(
            "a=recvonly", "a=sendonly"
        ),
        TAKEN,
    ),
    "its own direction before the session's": (
        offer(audio(), video(), session="a=group:BUNDLE 0 1\r\na=inactive\r\n"),
        TAKEN,
    ),
    "the transport of the session": (
        offer(audio(more=""), video(more=""), session="a=group:BUNDLE 0 1\r\n" + TRANSPORT),
        TAKEN,
    ),
    "the transport in the first section alone": (offer(audio(), video(more="")), TAKEN),
    "the transport in the second section alone": (offer(audio(more=""), video()), TAKEN),
    "bundled alone, with port 0": (offer(audio(), video(port=0, more="a=bundle-only\r\n")), TAKEN),
    "no DTLS role": (offer(audio(), video()).replace("a=setup:actpass\r\n", ""), TAKEN),
    "the DTLS client": (offer(audio(), video()).replace("actpass", "active"), TAKEN),
    "the DTLS server": (offer(audio(), video()).replace("actpass", "passive"), TAKEN),
    "line feeds alone": (offer(audio(), video()).replace("\r\n", "\n"), TAKEN),
    "blank lines at the end": (offer(audio(), video()) + "\r\n\r\n", TAKEN),
    "an old protocol": (offer(audio(), video()).replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"), TAKEN),
    "a digest that we do not know beside one that we do": (
        offer(audio(), video()).replace(
            FINGERPRINT, "a=fingerprint:sha-1 " + ":".join(["AB"] * 20) + "\r\n" + FINGERPRINT
        ),
        TAKEN,
    ),
    "a data channel": (offer(audio(), video(), DATA_CHANNEL), (*TAKEN, None)),
    "a data channel first": (
        offer(DATA_CHANNEL, audio(), video(), session="a=group:BUNDLE 2 0 1\r\n"),
        (None, *TAKEN),
    ),
    "a section of no kind that we know": (
        offer(audio(), "m=text 9 RTP/AVP 98\r\na=mid:2\r\n", video()),
        ("audio", None, "video"),
    ),
    "a second video": (offer(audio(), video(), video("2")), (*TAKEN, None)),
    "a video that is refused before one that is not": (offer(video("0", port=0), video()), (None, "video")),
    "a video of no codec that we know before one": (
        offer(video("0", "a=rtpmap:96 AV1/90000\r\n"), video()),
        (None, "video"),
    ),
    "sound of a codec that we do not take": (
        offer(audio(codec="a=rtpmap:111 PCMU/8000\r\n"), video()),
        (None, "video"),
    ),
    "sound that is refused": (offer(audio(port=0), video()), (None, "video")),
    "sound the other way": (offer(audio(direction="recvonly"), video()), (None, "video")),
    "inactive sound": (offer(audio(direction="inactive"), video()), (None, "video")),
    "sound without rtcp-mux": (offer(audio().replace("a=rtcp-mux\r\n", ""), video()), (None, "video")),
    "sound that is not bundled": (offer(audio(), video(), session="a=group:BUNDLE 1\r\n"), (None, "video")),
    "no bundle": (offer(audio(), video(), session=""), (None, "video")),
    "no bundle and no names": (offer(audio(None), video(None), session=""), (None, "video")),
    "one section without a name": (offer(video(None), session=""), ("video",)),
    "an odd name": (offer(video("a/b".replace("/", "-")), session=""), ("video",)),
}


@pytest.mark.parametrize(("text", "sections"), SHAPES.values(), ids=SHAPES)
async def test_an_offer_is_taken_as_far_as_it_can_be(text, sections):
    read, answer = await answered(text)
    offered = m_lines(text.replace("\r\n", "\n").replace("\n", "\r\n"))
    given = m_lines(answer)
    assert len(given) == len(offered), "an answer has the sections of its offer"
    assert read.kinds == tuple(kind for kind in sections if kind)
    for line, asked, kind in zip(given, offered, sections, strict=True):
        assert line.split()[::2][0] == asked.split()[0]
        assert line.split()[2] == asked.split()[2], "the protocol is that of the offer"
        assert (line.split()[1] != "0") == (kind is not None)
        assert set(line.split()[3:]) <= set(asked.split()[3:])
    assert mids(answer) == mids(text)
    bundles = re.findall(r"a=group:BUNDLE (.*)\r\n", answer)
    if "a=group:BUNDLE" in text and any(
        mid in bundle.split() for bundle in re.findall(r"a=group:BUNDLE (.*)", text) for mid in mids(text)
    ):
        taken = [mid for mid, kind in zip(mids(text), sections, strict=True) if kind]
        assert [sorted(bundle.split()) for bundle in bundles] == [sorted(taken)]
    else:
        assert bundles == []
    for section in SessionDescription.parse(answer).media:
        if section.port:
            assert section.direction == "recvonly"
            assert section.rtcp_mux
            assert section.ice.usernameFragment
            assert section.dtls.role in {"client", "server"}


REFUSED = {
    "no media": (offer(), "one video"),
    "sound alone": (offer(audio()), "one video"),
    "a data channel alone": (offer(DATA_CHANNEL), "one video"),
    "a video with port 0": (offer(audio(), video(port=0)), "port 0"),
    "a video the other way": (offer(audio(), video(direction="recvonly")), "must be sendonly, got recvonly"),
    "the session the other way": (
        offer(video("0", direction=None), session="a=recvonly\r\n"),
        "must be sendonly, got recvonly",
    ),
    "no codec that we know": (offer(video("0", "a=rtpmap:96 AV1/90000\r\n")), "none of VP8, H264"),
    "a codec without a format": (offer(video("0", "a=rtpmap:97 VP8/90000\r\n")), "none of VP8, H264"),
    "H.264 out of order": (
        offer(video("0", "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=2\r\n")),
        "none of VP8, H264",
    ),
    "a payload type that looks like RTCP": (
        offer(media("video", "a=rtpmap:72 VP8/90000\r\n", mid="0", formats="72")),
        "none of VP8, H264",
    ),
    "plain RTP": (offer(video("0").replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")), "UDP/TLS/RTP/SAVPF"),
    "one name for two": (offer(audio("0"), video("0")), "BUNDLE"),
    "a short user fragment": (offer(video("0")).replace("abcd", "abc"), "4 to 256"),
    "a long user fragment": (offer(video("0")).replace("abcd", "a" * 257), "256"),
    "a user fragment that is a command": (offer(video("0")).replace("abcd", "gauge.foo:1|g;set"), "4 to 256"),
    "a short password": (offer(video("0")).replace("0123456789012345678901", "x" * 21), "22 to 256"),
    "no digest that we know": (offer(video("0")).replace("sha-256", "md5"), "fingerprint of sha-256"),
    "a digest that is cut short": (offer(video("0")).replace("AB:AB:AB", "AB"), "fingerprint of sha-256"),
    "no digest": (offer(video("0")).replace(FINGERPRINT + "\r\n", ""), "fingerprint"),
    "a role that is none": (offer(video("0")).replace("actpass", "holdconn"), "setup"),
    "a byte order mark": ("\ufeff" + offer(video("0")), "v=0"),
    "a line that is none": (offer(video("0")) + "hello\r\n", "letter and ="),
    "a port that is none": (offer(video("0")).replace("m=video 9", "m=video 65536"), "m="),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_an_offer_that_cannot_be_taken_is_refused_in_clear_words(text, reason):
    with pytest.raises(SdpError, match=re.escape(reason)):
        read_offer(text, direction="sendonly")


H264 = "a=rtpmap:96 H264/90000\r\n{}a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n"
PROFILES = [
    "42e01f",
    "42001f",
    "4d001f",
    "4D401E",
    "58a01f",
    "640c1f",
    "64001f",
    "6e0029",
    "7a0034",
    "f40033",
    "42C03C",
]


@pytest.mark.parametrize("mode", [None, "0", "1"])
@pytest.mark.parametrize("profile", [None, *PROFILES])
async def test_h264_of_every_profile_and_mode_is_taken_for_ingest_and_answered_as_it_was_offered(profile, mode):
    said = [f"profile-level-id={profile}"] * bool(profile) + [f"packetization-mode={mode}"] * bool(mode)
    fmtp = f"a=fmtp:96 {';'.join(said)}\r\n" if said else ""
    _, answer = await answered(offer(video("0", H264.format(fmtp))))
    assert "a=rtpmap:96 H264/90000\r\n" in answer
    told = re.findall(r"a=fmtp:96 (.*)\r\n", answer)
    assert [sorted(each.split(";")) for each in told] == ([sorted(said)] if said else [])


async def test_parameter_sets_that_are_in_the_offer_alone_go_on_to_the_decoder():
    sets = "sprop-parameter-sets=Z0LAH9kAUAW7ARAAAAMAEAAAAwPI8YMkgA==,aMuDyyA="
    read, answer = await answered(offer(video("0", H264.format(f"a=fmtp:96 packetization-mode=1;{sets}\r\n"))))
    assert sets in read.text
    assert sets not in answer
    read, _ = await answered(offer(video("0", H264.format("a=fmtp:96 sprop-parameter-sets=a b;c=d\r\n"))))
    assert "sprop" not in read.text


@pytest.mark.parametrize("profile", PROFILES)
def test_what_a_viewer_takes_of_h264_is_baseline_in_packets(profile):
    for mode in ("0", "1"):
        codec = H264.format(f"a=fmtp:97 profile-level-id={profile};packetization-mode={mode}\r\n").replace(":96", ":97")
        text = offer(media("video", VP8 + codec, mid="0", formats="96 97", direction="recvonly"))
        takes = profile.startswith("42") and mode == "1"
        wanted = (VideoCodec.VP8, VideoCodec.H264) if takes else (VideoCodec.VP8,)
        assert read_offer(text, direction="recvonly").takes == wanted


@pytest.mark.parametrize("number", [35, 39, 63, 96, 127])
async def test_the_answer_keeps_the_payload_type_of_the_offer(number):
    codec = f"a=rtpmap:{number} H264/90000\r\na=fmtp:{number} packetization-mode=1;profile-level-id=4d001f\r\n"
    _, answer = await answered(offer(media("video", codec, mid="0", formats=str(number))))
    assert f"a=rtpmap:{number} H264/90000" in answer
    assert m_lines(answer)[0].split()[3:] == [str(number)]


async def test_the_order_of_the_m_line_is_that_of_preference():
    codecs = VP8 + "a=rtpmap:98 H264/90000\r\na=fmtp:98 packetization-mode=1;profile-level-id=42e01f\r\n"
    for formats in ("96 98", "98 96"):
        _, answer = await answered(offer(media("video", codecs, mid="0", formats=formats)))
        assert m_lines(answer)[0].split()[3:] == formats.split()


async def test_candidates_count_wherever_they_stand():
    line = "a=candidate:{} 1 udp 1 192.0.2.{} 5000 typ host\r\n"
    text = offer(
        audio() + line.format(1, 1),
        video() + line.format(1, 1) + line.format(2, 2),
        session="a=group:BUNDLE 0 1\r\n" + line.format(3, 3),
    )
    read, _ = await answered(text)
    assert sorted(each.address for each in read.candidates) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert "192.0.2" not in read.text, "where they may lead has not been looked at yet"


async def test_nothing_that_was_not_understood_goes_on():
    """What another parser could read differently is not in the text that it gets."""
    strange = "a=candidate-pair:x\r\na=x:candidate:1 1 udp 1 10.0.0.1 5000 typ host\r\nb=AS:5\r\n"
    strange += "i=\u2028a=ice-ufrag:evil\r\n"
    read, _ = await answered(offer(audio() + strange, video() + strange))
    known = {"group", "mid", "sendonly", "rtcp-mux", "ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtpmap"}
    lines = read.text.split("\r\n")
    assert {re.split(r"[:]", line[2:])[0] for line in lines if line.startswith("a=")} == known
    assert {line[:2] for line in lines if line} == {"v=", "o=", "s=", "t=", "m=", "c=", "a="}
    assert read.text.isascii()
    assert lines == [*read.text.splitlines(), ""]


@pytest.mark.parametrize("path", sorted((DATA / "browser_offers").glob("*.sdp")), ids=lambda path: path.stem)
async def test_what_browsers_offer_is_taken_whole(path):
    direction = "recvonly" if path.stem.endswith("watch") else "sendonly"
    read, answer = await answered(path.read_text(), direction)
    assert read.kinds == ("audio", "video")
    ports = [line.split()[1] != "0" for line in m_lines(answer)]
    assert ports == ([True, True, False] if path.stem.endswith("balanced") else [True, True])
    assert VideoCodec.VP8 in read.takes
    wanted = "a=sendonly" if direction == "recvonly" else "a=recvonly"
    assert answer.count(wanted) == 2


@pytest.mark.parametrize("name", ["chromium-156-simulcast", "firefox-153-simulcast"])
async def test_every_simulcast_layer_is_taken(name):
    """Of an answer without them a browser makes: send the first, which mostly is the smallest."""
    text = (DATA / "browser_offers" / f"{name}.sdp").read_text()
    offered = re.search(r"a=simulcast:send (\S+)", text)[1]
    read, answer = await answered(text)
    assert f"a=simulcast:recv {offered}\r\n" in answer
    for layer in offered.split(";"):
        assert f"a=rid:{layer} recv\r\n" in answer
    number = re.search(r"a=extmap:(\d+)\S* urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", text)[1]
    extension = f"a=extmap:{number} urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
    assert extension in answer, "browsers refuse layers without it"
    assert "rtx" not in read.text, "which layer a retransmission belongs to is not told"
    assert "abs-send-time" not in read.text.partition("m=video")[2], (
        "an estimate from it would keep the larger layers off"
    )


@pytest.mark.parametrize(
    ("simulcast", "layers"),
    [
        ("send a;b", "a;b"),
        ("send a,c;~b", "a;b"),
        ("recv x send a;b", "a;b"),
        ("send a;nobody", "a"),
        ("send a;a", "a"),
        ("recv a;b", None),
        ("", None),
        ("send", None),
    ],
)
async def test_simulcast_is_read_by_its_grammar(simulcast, layers):
    rids = "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
    rids += "a=rid:a send\r\na=rid:b send pt=96;max-width=640\r\na=rid:c send\r\na=rid:x recv\r\n"
    _, answer = await answered(offer(video("0") + rids + f"a=simulcast:{simulcast}\r\n"))
    assert re.findall(r"a=simulcast:recv (\S+)", answer) == ([layers] if layers else [])


CANDIDATE = "a=candidate:1 1 udp 2130706431 {} 5000 typ host raddr 8.8.8.8 rport 9\r\n"


def an_answer(*sections, session="a=group:BUNDLE 0 1\r\n"):
    return offer(*sections, session=session).replace("actpass", "passive").replace("a=sendonly", "a=recvonly")


def test_an_answer_is_written_anew_with_the_candidates_that_may_be_reached():
    text = an_answer(video("0") + "".join(map(CANDIDATE.format, ("127.0.0.1", "1.1.1.1", "x.local"))), audio("1"))
    read = read_answer(text, kinds=["video", "audio"], may_reach=lambda address: address == "1.1.1.1")
    assert [(each.address, each.port) for each in read.candidates] == [("1.1.1.1", 5000)]
    assert "candidate" not in read.text
    assert "127.0.0.1" not in read.text


@pytest.mark.parametrize("sign", ["\t", "\x0b", "\x0c", "\x1c", "\r"])
def test_an_answer_that_another_parser_reads_differently_is_refused(sign):
    hidden = CANDIDATE.format("127.0.0.1").replace(" ", sign)
    with pytest.raises(SdpError, match="control character"):
        read_answer(an_answer(video("0") + hidden), kinds=["video"], may_reach=lambda _: False)


@pytest.mark.parametrize("sign", ["\x85", "\u2028", "\u2029", "\xa0", "\u3000", "  "])
def test_what_unicode_calls_a_line_or_a_blank_hides_no_candidate(sign):
    for hidden in (CANDIDATE.format("127.0.0.1").replace(" ", sign), f"i=x{sign}" + CANDIDATE.format("127.0.0.1")):
        try:
            read = read_answer(an_answer(video("0") + hidden), kinds=["video"], may_reach=lambda _: False)
        except SdpError:
            continue
        assert read.candidates == ()
        assert "127.0.0.1" not in read.text


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        pytest.param(lambda text: text, ["recvonly", "recvonly"], id="all"),
        pytest.param(lambda text: text.replace("m=audio 9", "m=audio 0"), ["recvonly", "inactive"], id="no sound"),
        pytest.param(
            lambda text: re.sub(r"(m=audio (?:.|\n)*?)a=ice-ufrag(?:.|\n)*?a=setup:passive\r\n", r"\1", text),
            ["recvonly", "recvonly"],
            id="its transport in the first section alone",
        ),
        pytest.param(
            lambda text: re.sub(r"a=mid:.\r\n|a=group.*\r\n", "", text), ["recvonly", "recvonly"], id="no names"
        ),
    ],
)
async def test_an_answer_is_what_aiortc_takes(change, taken):
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    try:
        for kind in ("video", "audio"):
            connection.addTransceiver(kind, direction="sendonly")
        await connection.setLocalDescription(await connection.createOffer())
        text = change(an_answer(video("0"), audio("1")))
        read = read_answer(text, kinds=["video", "audio"], may_reach=lambda _: True)
        await connection.setRemoteDescription(RTCSessionDescription(read.text, "answer"))
        assert [media.direction for media in SessionDescription.parse(read.text).media] == taken
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda text: text.replace("m=video 9", "m=video 0"), "does not take", id="refused"),
        pytest.param(lambda text: text.replace("a=recvonly", "a=inactive"), "does not take", id="inactive"),
        pytest.param(lambda text: text.replace("VP8", "VP9"), "does not take", id="another codec"),
        pytest.param(lambda text: text.replace("passive", "actpass"), "role", id="no role"),
        pytest.param(lambda text: text + audio("1"), "must have", id="one section too many"),
    ],
)
def test_an_answer_that_does_not_take_the_video_is_refused(change, reason):
    with pytest.raises(SdpError, match=reason):
        read_answer(change(an_answer(video("0"))), kinds=["video"], may_reach=lambda _: True)


PLAIN_H264 = "a=rtpmap:97 H264/90000\r\n"
MODE_1_HIGH = PLAIN_H264 + "a=fmtp:97 packetization-mode=1;profile-level-id=640c1f\r\n"


@pytest.mark.parametrize("codec", [PLAIN_H264, MODE_1_HIGH], ids=["no parameters", "high alone"])
def test_a_viewer_who_cannot_take_our_h264_gets_vp8_beside_it_or_is_told_why_not(codec):
    beside = offer(video("0", codec=codec + VP8, direction="recvonly", formats="97 96"))
    assert read_offer(beside, direction="recvonly").takes == (VideoCodec.VP8,)
    alone = offer(video("0", codec=codec, direction="recvonly", formats="97"))
    with pytest.raises(SdpError, match="packetization-mode=1 and a baseline"):
        read_offer(alone, direction="recvonly")
    assert read_offer(alone.replace("recvonly", "sendonly"), direction="sendonly"), "a publisher may send it"
