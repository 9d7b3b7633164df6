"""Hostile requests: what each route is sent by those who mean it harm, made anew from a seed."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from support.policies import hiding, plain, swapping

SDP, FRAGMENT, JSON = "application/sdp", "application/trickle-ice-sdpfrag", "application/json"
MOST_BYTES: Final = 65_000
"""A little below what the routes of SDP take."""
_FINGERPRINT: Final = "a=fingerprint:sha-256 " + ":".join(["AA"] * 32) + "\r\n"
_SESSION: Final = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One request.

    Attributes:
        name: What it tries.
        body: At most as large as its route takes.
        kind: Its media type.
    """

    name: str
    body: bytes
    kind: str = SDP
    headers: dict[str, str] = field(default_factory=dict)


def _section(formats: str, *, kind: str = "video", direction: str = "recvonly") -> str:
    return (
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\na={direction}\r\n"
        f"a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n{_FINGERPRINT}a=setup:actpass\r\n"
    )


def offer_bombs(direction: str = "recvonly") -> Iterator[Hostile]:
    """Yield offers that cost a careless parser more than their length."""
    one, many = _section("96", direction=direction), _section(" ".join(map(str, range(96, 128))), direction=direction)
    bare = _SESSION + one
    texts = {
        "media sections": _SESSION + "m=video 9 X 96\r\n" * 4500,
        "whole sections": _SESSION + one * 200,
        "formats": _SESSION + _section(" ".join(["96"] * 20_000), direction=direction),
        "numbers as formats": _SESSION + _section(" ".join(map(str, range(11_000))), direction=direction),
        "fmtp of many codecs": bare
        + "".join(f"a=rtpmap:{i} VP8/90000\r\na=fmtp:{i} a=b;c=d\r\n" for i in range(1, 1300)),
        "wildcard feedback": bare
        + "".join(f"a=rtpmap:{i} VP8/90000\r\n" for i in range(1, 1200))
        + "a=rtcp-fb:* nack\r\n" * 2000,
        "feedback": _SESSION + many + "a=rtcp-fb:96 nack pli\r\n" * 2600,
        "parameters": bare + "a=rtpmap:96 VP8/90000\r\na=fmtp:96 " + ";".join(["a=1"] * 15_000) + "\r\n",
        "sources": bare + "".join(f"a=ssrc:{i} cname:x\r\n" for i in range(3200)),
        "source groups": bare + "a=ssrc-group:FID 1 2\r\n" * 2900,
        "one long source group": bare + "a=ssrc-group:SIM " + " ".join(map(str, range(10_000))) + "\r\n",
        "extensions": bare + "a=extmap:1 urn:x\r\n" * 3500,
        "candidates": bare + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 1400,
        "one long candidate": bare + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host " + "x y " * 15_000 + "\r\n",
        "fingerprints": bare + "a=fingerprint:sha-256 AA\r\n" * 2400,
        "groups": _SESSION + "a=group:BUNDLE 0\r\n" * 3000 + one,
        "digits": bare + "a=rtpmap:" + "9" * 60_000 + " VP8/90000\r\n",
        "a long name": bare + "a=ice-ufrag:" + "a" * 60_000 + "\r\n",
        "blank lines": bare + "\r\n" * 30_000,
        "bare returns": bare + "\r" * 60_000,
        "bare line feeds": bare + "a\n" * 30_000,
        "no line ends": bare + "a" * 60_000,
        "zeros": bare + "\0" * 60_000,
        "colons": bare + "a=" + ":" * 60_000 + "\r\n",
        "simulcast": bare + "a=simulcast:send " + ";".join(["h"] * 20_000) + "\r\n",
        "layers": bare + "a=rid:h send\r\n" * 4000,
        "line separators": bare + "a=x\u2028" * 9000,
        "wide digits": bare.replace(" 96", " \u0669\u0666") + "a=rtpmap:\uff19\uff16 VP8/90000\r\n" * 1000,
    }
    for name, text in texts.items():
        yield Hostile(f"offer: {name}", text.encode()[:MOST_BYTES])
    yield Hostile("offer: no text", b"\xff\xfe" * 30_000)
    yield Hostile("offer: empty", b"")
    yield Hostile("offer: of another type", bare.encode(), "text/plain")


def fragment_bombs() -> Iterator[Hostile]:
    """Yield trickled fragments of the same kind."""
    head = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    texts = {
        "candidates": head + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 1400,
        "sections": head * 700,
        "one long candidate": head + "a=candidate:" + "1 " * 30_000,
        "bare returns": head + "\r" * 60_000,
        "names": head + "a=ice-ufrag:" + "b" * 60_000,
    }
    for name, text in texts.items():
        yield Hostile(f"fragment: {name}", text.encode()[:MOST_BYTES], FRAGMENT, {"If-Match": "*"})


def json_bombs() -> Iterator[Hostile]:
    """Yield bodies that are JSON, or nearly."""
    bodies = {
        "deep lists": b"[" * 30_000,
        "deep objects": b'{"a":' * 10_000,
        "a long number": b'{"delay_frames": ' + b"9" * 15_000 + b"}",
        "a long fraction": b'{"delay_frames": 1e' + b"9" * 15_000 + b"}",
        "a long title": json.dumps({"title": "x" * 15_000}).encode(),
        "many fields": json.dumps({f"field{i}": i for i in range(1000)}).encode(),
        "one field often": b"{" + b",".join([b'"title":"a"'] * 1200) + b"}",
        "escapes": b'{"title": "' + b"\\u0000" * 2400 + b'"}',
        "lone surrogates": b'{"title": "\\ud800\\udfff\\ud800"}',
        "no numbers": b'{"delay_frames": NaN}',
        "a long persona": json.dumps({"policy": plain(swapping())}).replace("volto", "a" * 15_000).encode(),
        "a long version": b'{"policy": {"version": ' + b"9" * 15_000 + b"}}",
        "a version that is no number": b'{"policy": {"version": NaN, "rules": []}}',
        "a deep policy": b'{"policy": {"version": 1, "rules": ' + b"[" * 14_000,
        "many rules": json.dumps({"policy": {"version": 1, "rules": plain(hiding())["rules"] * 160}}).encode(),
        "a subject within a subject": json.dumps(
            {"policy": {"version": 1, "rules": [{"subject": {"kind": {"kind": "everyone"}}, "treatment": []}]}}
        ).encode(),
        "zeros": b"\0" * 15_000,
        "empty": b"",
    }
    for name, body in bodies.items():
        yield Hostile(f"json: {name}", body, JSON)


def form_bombs() -> Iterator[Hostile]:
    """Yield forms that are no photos."""
    part = b'--B\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    bodies = {
        "many parts": (part + b"x\r\n") * 3000 + b"--B--\r\n",
        "many fields": b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 4000 + b"--B--\r\n",
        "a long name": b'--B\r\nContent-Disposition: form-data; name="' + b"a" * 200_000 + b'"\r\n\r\n\r\n--B--\r\n',
        "a long header": b"--B\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n\r\n--B--\r\n",
        "boundaries": b"--B\r\n" * 40_000,
        "nearly boundaries": part + b"\r\n--" * 60_000 + b"\r\n--B--\r\n",
        "no end": part + b"x" * 200_000,
        "no parts": b"--B--\r\n",
        "rubbish": b"\xff" * 200_000,
    }
    for name, body in bodies.items():
        yield Hostile(f"form: {name}", body, "multipart/form-data; boundary=B")
    yield Hostile("form: no boundary", part, "multipart/form-data")
    yield Hostile("form: a long boundary", part, "multipart/form-data; boundary=" + "B" * 4000)
    yield Hostile("form: as a query", b"photo=" + b"%41" * 60_000, "application/x-www-form-urlencoded")


def photo_bombs() -> Iterator[Hostile]:
    """Yield forms that declare all that is asked for, with files whose headers are the bomb."""
    most = 2 * 2**20
    box = b"\0\0\x0b\x68meta" + b"\0" * 4 + b"\0\0\0\x08iprp" * 364
    files = {
        "fill bytes": b"\xff\xd8" + b"\xff" * most,
        "segments": b"\xff\xd8" + b"\xff\xe1\x00\x02" * (most // 4),
        "boxes": b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + box * (most // len(box)),
        "many pixels": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + b"\x7f\xff\xff\xff" * 2 + b"\x08\x02\0\0\0" + b"\0" * 1000,
        "no picture": b"\xff\xd8\xff\xe0" + b"\0" * 100_000,
    }
    declared = b"".join(
        b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % pair
        for pair in ((b"owner_agrees", b"true"), (b"declared_by", b"Kim"))
    )
    part = b'--B\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n%s\r\n'
    for name, data in files.items():
        yield Hostile(f"photo: {name}", declared + part % data + b"--B--\r\n", "multipart/form-data; boundary=B")


def path_bombs() -> Iterator[str]:
    """Yield paths that lead nowhere, or are meant to lead out of where they begin."""
    yield from (
        "/assets/../../pyproject.toml",
        "/assets/..%2f..%2fpyproject.toml",
        "/assets/%2e%2e/%2e%2e/pyproject.toml",
        "/assets/..%5c..%5cpyproject.toml",
        "/assets/%00",
        "/assets/a%00.js",
        "/assets//etc/passwd",
        "/assets/" + "a" * 5000,
        "/assets/" + "a/" * 3000,
        "/assets/" + "%2e%2e%2f" * 1000,
        "/assets",
        "/assets/.",
        "/assets/%ff%fe",
        "/assets/CON",
        "/" * 5000,
        "/%",
        "/%zz",
        "/%C0%AE%C0%AE/",
        "/\\..\\..",
        "//evil.example/api/health",
        "http://evil.example/api/health",
        "*",
        "/api/../api/health",
        "/;/api/health",
        "/api/health;a=b",
        "/api/health#a",
        "/openapi.json?" + "a=b&" * 3000,
        "/docs",
        "/redoc",
        "/.git/config",
        "/.env",
        "/watch/%3Cscript%3Ealert(1)%3C/script%3E",
    )


def mutated(text: str, rng: random.Random) -> Hostile:
    """Return an offer that was good, with some of its lines and letters changed at random."""
    lines = text.split("\r\n")
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(lines))
        match rng.randrange(7):
            case 0:
                del lines[at : at + rng.randint(1, 4)]
            case 1:
                lines[at:at] = lines[rng.randrange(len(lines)) :][: rng.randint(1, 6)]
            case 2:
                lines[at] = lines[at] * rng.randint(2, 200)
            case 3:
                lines[at] = "".join(rng.choice("\t :;=/,0a\0é") if rng.random() < 0.1 else c for c in lines[at])
            case 4:
                lines[at] = lines[at].replace("0", "9" * rng.randint(1, 30))
            case 5:
                lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
            case _:
                rng.shuffle(lines)
        lines = lines or [""]
    return Hostile("offer: mutated", "\r\n".join(lines).encode()[:MOST_BYTES])
