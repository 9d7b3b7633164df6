"""Offers of at most the size limit that are made to cost much."""

from typing import Final

from mien.media.webrtc.sdp.limits import MAX_SDP_BYTES, MAX_SECTIONS

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


BOMBS: Final = {
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


def dearest() -> str:
    """Return an offer that is taken, with as many of everything as may be, in as many sections as may be."""
    numbers = (*range(35, 64), *range(96, 128))
    h264 = "".join(
        f"a=rtpmap:{n} H264/90000\r\na=fmtp:{n} profile-level-id=42e01f;packetization-mode=1\r\n" for n in numbers
    )
    section = MEDIA.replace(" 96\r\n", " " + " ".join(map(str, numbers)) + "\r\n").replace("a=mid:0\r\n", "")
    section = section.replace("a=rtpmap:96 VP8/90000\r\n", "")
    text = HEAD + section + h264 + "a=rtcp-fb:* nack pli\r\n" * 300
    text += "".join(f"a=candidate:{n} 1 udp 1 1.1.1.{n} 5000 typ host\r\n" for n in range(64))
    return text + section * (MAX_SECTIONS - 1)
