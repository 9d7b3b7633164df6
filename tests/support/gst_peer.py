"""Publishes or plays with GStreamer's webrtcbin until its standard input closes; run it with the system's Python.

    /usr/bin/python3 gst_peer.py publish URL TOKEN VIDEO [sound]
    /usr/bin/python3 gst_peer.py play URL "" VIDEO [sound]

VIDEO names one of `VIDEOS`. It prints one JSON object a line: {"connection": STATE}, and, playing, {"video": [WIDTH,
HEIGHT]} and {"audio": BYTES} for every picture and piece of sound. At the end it deletes its session.
"""

import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import gi  # type: ignore[import-not-found]  # of the system's Python, not of ours

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # type: ignore[import-not-found]  # noqa: E402  # as above

_X264 = "x264enc tune=zerolatency key-int-max=30 bitrate=400 ! video/x-h264,profile={profile} ! rtph264pay pt=96"
VIDEOS = {
    "vp8": "vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay pt=96 picture-id-mode=15-bit",
    "h264": _X264.format(profile="constrained-baseline") + " config-interval=-1",
    "h264-main": _X264.format(profile="main") + " config-interval=1 aggregate-mode=zero-latency",
    # Its parameter sets come in the offer alone (`sprop-parameter-sets`).
    "h264-sprop": _X264.format(profile="constrained-baseline,stream-format=avc"),
    "h264-high": _X264.format(profile="high"),
}
_PLAYED = {
    "vp8": ("encoding-name=VP8", "rtpvp8depay ! vp8dec"),
    "h264": (
        "encoding-name=H264,packetization-mode=(string)1,profile-level-id=(string)42e01f",
        "rtph264depay ! h264parse ! openh264dec",
    ),
}
_SOUND = "audiotestsrc is-live=true ! audioconvert ! opusenc ! rtpopuspay pt=97"


def say(**values: object) -> None:
    """Print one line for whoever started us."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


class Peer:
    """One webrtcbin and its WHIP or WHEP session."""

    def __init__(self, url: str, token: str, description: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: str | None = None
        self._kept: list[object] = []  # gi frees what a promise holds while webrtcbin still reads it
        self.loop = GLib.MainLoop()
        launched = Gst.parse_launch(f"webrtcbin name=w bundle-policy=max-bundle {description}")
        self.pipeline = launched if description else Gst.Pipeline.new(None)  # of a single element it makes no pipeline
        if not description:
            self.pipeline.add(launched)
        self.webrtc = self.pipeline.get_by_name("w")
        self.webrtc.connect("on-negotiation-needed", self._negotiate)
        self.webrtc.connect("notify::ice-gathering-state", lambda *_: GLib.idle_add(self._send_offer))
        self.webrtc.connect("notify::connection-state", self._tell_state)

    def run(self) -> None:
        """Run until standard input closes."""
        threading.Thread(target=self._wait_for_the_end, daemon=True).start()
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        if self._session:
            self._ask("DELETE", self._session)
        self.pipeline.set_state(Gst.State.NULL)

    def _wait_for_the_end(self) -> None:
        sys.stdin.read()
        GLib.idle_add(self.loop.quit)

    def _negotiate(self, webrtc: Any) -> None:
        webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self._offer_made))

    def _offer_made(self, promise: Any, *_: object) -> None:
        promise.wait()
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self._kept += [promise, reply, offer]
        self.webrtc.emit("set-local-description", offer, None)

    def _send_offer(self) -> None:
        gathered = self.webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if not gathered or self._session is not None:
            return
        self._session = ""
        offer = self.webrtc.get_property("local-description").sdp.as_text()
        try:
            location, answer = self._ask("POST", self._url, offer.encode())
        except urllib.error.HTTPError as error:
            say(refused=error.code, detail=error.read().decode()[-400:], offer=offer)
            self.loop.quit()
            return
        self._session = urllib.parse.urljoin(self._url, location)
        _, message = GstSdp.SDPMessage.new_from_text(answer.decode())
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self._kept.append(description)
        self.webrtc.emit("set-remote-description", description, None)

    def _tell_state(self, *_: object) -> None:
        say(connection=self.webrtc.get_property("connection-state").value_nick)

    def _ask(self, verb: str, url: str, body: bytes | None = None) -> tuple[str, bytes]:
        headers = self._headers | ({"Content-Type": "application/sdp"} if body else {})
        request = urllib.request.Request(url, body, headers, method=verb)  # noqa: S310  # the test's own server
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  # as above
            return response.headers.get("Location", ""), response.read()


def publisher(url: str, token: str, video: str, *, audio: bool) -> Peer:
    """Return a peer that publishes a test picture, and a tone with `audio`."""
    camera = (
        "videotestsrc is-live=true pattern=checkers-8 ! video/x-raw,width=320,height=240,framerate=15/1 ! videoconvert"
    )
    description = f"{camera} ! {VIDEOS[video]} ! w. "
    return Peer(url, token, description + (f"{_SOUND} ! w. " if audio else ""))


def player(url: str, token: str, video: str, *, audio: bool) -> Peer:
    """Return a peer that plays into nothing and tells of every picture."""
    peer = Peer(url, token, "")
    format_, decoder = _PLAYED[video]
    wanted = [f"application/x-rtp,media=video,{format_},clock-rate=90000,payload=96"]
    if audio:
        wanted.append("application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload=97")
    for caps in wanted:
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        peer.webrtc.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
    decoders = {"video": decoder, "audio": "rtpopusdepay ! opusdec"}

    def show(_webrtc: Any, pad: Any) -> None:
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        sink = "fakesink name=sink sync=false signal-handoffs=true"
        out = Gst.parse_bin_from_description(f"{decoders[kind]} ! {sink}", True)  # gi takes no names
        out.get_by_name("sink").connect("handoff", told, kind)
        peer.pipeline.add(out)
        out.sync_state_with_parent()
        pad.link(out.get_static_pad("sink"))

    def told(_sink: Any, buffer: Any, pad: Any, kind: str) -> None:
        shape = pad.get_current_caps().get_structure(0)
        size = [shape.get_int("width")[1], shape.get_int("height")[1]]
        say(**{kind: size if kind == "video" else buffer.get_size()})

    peer.webrtc.connect("pad-added", show)
    return peer


def main() -> None:
    """Run as a script."""
    make = {"publish": publisher, "play": player}[sys.argv[1]]
    Gst.init(None)
    url, token, video, *rest = sys.argv[2:]
    make(url, token, video, audio="sound" in rest).run()


if __name__ == "__main__":
    main()
