"""How fast a browser's pictures reach full size and rate, on a free path and on a narrow uplink. Prints a table.

    python -m benchmarks.media.ingest [--uplink free 1200 800] [--runs 3] [--out FILE]

Chromium publishes a 720p clip from its fake camera, with the page's own settings, straight into `Ingest`: nothing is
treated or sent on. An uplink of so many kbit/s is a pair of virtual links with a token bucket (`tc`, which needs
root) that holds at most 200 ms of packets, as a home router does; "free" is the loopback. Told at 1, 2, 3, 6 and 12
seconds after the connection was up: the bit rate received and the pictures shown in the second before, and their
height. Then, over everything after the third second: how far behind their best pictures were on the way (median and
95 %), and the longest time without a new one. Medians of the runs come last. `research/transport_feedback` compares
aiortc's own feedback, which is used, with another kind.
"""

import asyncio
import contextlib
import itertools
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import av
import uvicorn
from aiortc import RTCPeerConnection
from playwright.async_api import async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from benchmarks.command import command, keep, parse
from mien.media.webrtc.ingest.publisher import Ingest
from mien.media.webrtc.sdp.parse import read_offer
from support.browser import FLAGS, chromium_path, write_camera_clip
from support.scenes import astronaut_frames

Attach: TypeAlias = Callable[[RTCPeerConnection], None]
"""Takes a new connection before it is up."""
ROOM: Final = "mien-ingest"
CLIP_S: Final = 4.84  # one sway of the head, so that the clip repeats without a cut
HERE, THERE = "198.18.0.1", "198.18.0.2"  # RFC 2544: for benchmarks
TOLD_AT_S = (1, 2, 3, 6, 12)
PAGE = """<!doctype html><script type=module>
const stream = await navigator.mediaDevices.getUserMedia({
    audio: true, video: {width: {ideal: 1280}, height: {ideal: 720}, frameRate: {ideal: 30}}});
const pc = window.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
for (const track of stream.getTracks()) {
    const video = track.kind === 'video';
    if (video) track.contentHint = 'motion';
    const sendEncodings = video ? [{maxBitrate: 2.5e6, maxFramerate: 30}] : [{}];
    const {sender} = pc.addTransceiver(track, {direction: 'sendonly', sendEncodings});
    if (video) {
        const parameters = sender.getParameters();
        parameters.degradationPreference = 'maintain-resolution';
        await sender.setParameters(parameters);
    }
}
await pc.setLocalDescription();
await new Promise(done => {
    if (pc.iceGatheringState === 'complete') done();
    pc.onicegatheringstatechange = () => { if (pc.iceGatheringState === 'complete') done(); };
});
const answer = await fetch('/whip', {method: 'POST', body: pc.localDescription.sdp});
await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
</script>"""


@dataclass
class Seen:
    """What came in while one browser published.

    Attributes:
        frames: For each, seconds after the connection was up, height, and seconds since it was captured.
        received: For each tenth of a second, seconds after the connection was up, and all bytes until then.
        done: Set when enough was seen.
        began: When the connection was up; None before.
    """

    frames: list[tuple[float, int, float]] = field(default_factory=list)
    received: list[tuple[float, int]] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    began: float | None = None

    def take(self, frame: av.VideoFrame, at: float) -> None:
        """Note a frame. Runs on the decoder's thread."""
        now = time.monotonic()
        if self.began is not None:
            self.frames.append((now - self.began, frame.height, now - at))

    def kbps(self, at: float) -> int:
        window = [bytes_ for t, bytes_ in self.received if at - 1.0 <= t <= at]
        return round((window[-1] - window[0]) * 8 / 1000) if window else 0

    def row(self) -> dict[str, Any]:
        told = {}
        for at in TOLD_AT_S:
            shown = [height for t, height, _ in self.frames if at - 1.0 <= t <= at]
            told[f"{at}s"] = {"kbps": self.kbps(at), "fps": len(shown), "height": shown[-1] if shown else 0}
        stabilise = [(t, lag) for t, _, lag in self.frames if t > 3]
        gaps = [b[0] - a[0] for a, b in itertools.pairwise(stabilise)]
        lags = sorted(lag for _, lag in stabilise)
        return {
            **told,
            "way_ms_p50": round(statistics.median(lags) * 1e3) if lags else None,
            "way_ms_p95": round(lags[int(len(lags) * 0.95)] * 1e3) if lags else None,
            "longest_gap_ms": round(max(gaps) * 1e3) if gaps else None,
        }


async def observe(ingest: Ingest, seen: Seen, seconds: float) -> None:
    """Look at what `ingest` gives for `seconds` after it is connected."""
    async with asyncio.timeout(20):
        await ingest.connected.wait()
    began = seen.began = time.monotonic()

    async def count() -> None:
        transport = ingest.connection.getReceivers()[0].transport
        while True:
            stats = transport._get_stats()  # noqa: SLF001  # the public way adds what takes longer to gather
            (entry,) = stats.values()
            seen.received.append((time.monotonic() - began, entry.bytesReceived))
            await asyncio.sleep(0.1)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            group.create_task(count())
    seen.done.set()
    await ingest.close()


@contextlib.asynccontextmanager
async def receiving(host: str, seen: Seen, seconds: float, attach: Attach) -> AsyncIterator[str]:
    """Serve the page and take its offer; yield the address."""
    tasks = []

    async def page(_request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def whip(request: Request) -> Response:
        offer = read_offer((await request.body()).decode(), direction="sendonly")
        ingest = Ingest(offer, [], start_kbps=2000, max_kbps=4000, max_pixels=1920 * 1080, sink=seen.take)
        answer = await ingest.answer()
        attach(ingest.connection)
        tasks.append(asyncio.create_task(observe(ingest, seen, seconds)))
        return Response(answer, 201, media_type="application/sdp")

    app = Starlette(routes=[Route("/", page), Route("/whip", whip, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=0, log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has a flag, no event
        await asyncio.sleep(0.01)
    try:
        yield f"http://{host}:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        await asyncio.gather(*tasks)
        server.should_exit = True
        await serving


@contextlib.contextmanager
def narrow(kbps: int) -> Iterator[None]:
    """Have a network namespace whose way out carries `kbps`."""

    def run(*commands: str) -> None:
        for each in commands:
            subprocess.run(each.split(), check=True, capture_output=True)

    run(f"ip netns add {ROOM}")
    try:
        run(
            f"ip link add {ROOM}0 type veth peer name {ROOM}1",
            f"ip link set {ROOM}1 netns {ROOM}",
            f"ip address add {HERE}/30 dev {ROOM}0",
            f"ip link set {ROOM}0 up",
            f"ip -n {ROOM} address add {THERE}/30 dev {ROOM}1",
            f"ip -n {ROOM} link set lo up",
            f"ip -n {ROOM} link set {ROOM}1 up",
            f"tc -n {ROOM} qdisc add dev {ROOM}1 root tbf rate {kbps}kbit burst 6000 latency 200ms",
        )
        yield
    finally:
        run(f"ip netns delete {ROOM}")


async def publish(
    clip: Path,
    uplink: str,
    seconds: float,
    folder: Path,
    seen: Seen,
    attach: Attach = lambda _: None,
) -> None:
    """Let a browser publish over `uplink` and note in `seen` what comes in; `attach` gets the connection first."""
    with contextlib.ExitStack() as stack:
        program = chromium_path()
        if uplink != "free":
            stack.enter_context(narrow(int(uplink)))
            script = folder / "chromium-behind-uplink"
            script.write_text(f'#!/bin/sh\nexec ip netns exec {ROOM} {program} "$@"\n')
            script.chmod(0o755)
            program = str(script)
        host = "127.0.0.1" if uplink == "free" else HERE
        async with receiving(host, seen, seconds, attach) as address, async_playwright() as driver:
            context = await driver.chromium.launch_persistent_context(
                tempfile.mkdtemp(dir=folder),
                executable_path=program,
                headless=True,
                args=[
                    *FLAGS,
                    "--use-fake-device-for-media-stream",
                    f"--use-file-for-fake-video-capture={clip}",
                    "--use-fake-ui-for-media-stream",
                    f"--unsafely-treat-insecure-origin-as-secure={address}",
                ],
            )
            await (await context.new_page()).goto(address)
            async with asyncio.timeout(seconds + 40):
                await seen.done.wait()
            await context.close()


@contextlib.contextmanager
def remb() -> Iterator[Attach]:
    """Yield what makes a new connection give aiortc's own feedback: nothing needs to be done."""
    yield lambda _: None


def medians(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one row with the median of each number of `rows`."""

    def median(values: list[Any]) -> Any:
        if isinstance(values[0], dict):
            return {key: median([value[key] for value in values]) for key in values[0]}
        known = [value for value in values if value is not None]
        return values[0] if isinstance(values[0], str) or not known else round(statistics.median(known))

    return {key: median([row[key] for row in rows]) for key in rows[0]}


def show(row: dict[str, Any]) -> None:
    told = "  ".join(f"{at}s: {(v := row[f'{at}s'])['kbps']:>4} {v['height']:>3}p{v['fps']:>2}" for at in TOLD_AT_S)
    way = f"way {row['way_ms_p50']}/{row['way_ms_p95']} ms, longest gap {row['longest_gap_ms']} ms"
    print(f"{row['uplink']:>5} {row['feedback']:>9}  {told}  {way}", flush=True)


def measure(
    uplinks: Sequence[str],
    feedbacks: Mapping[str, Callable[[], contextlib.AbstractContextManager[Attach]]],
    *,
    runs: int,
    seconds: float,
) -> list[dict[str, Any]]:
    """Publish over each uplink, `runs` times, with each kind of feedback; print and return a row for each."""
    rows = []
    ways = list(itertools.product(uplinks, feedbacks))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = write_camera_clip(folder / "clip.mjpeg", astronaut_frames(CLIP_S))
        for _ in range(runs):
            for uplink, feedback in ways:
                seen = Seen()
                with feedbacks[feedback]() as attach:
                    asyncio.run(publish(clip, uplink, seconds, folder, seen, attach))
                rows.append({"uplink": uplink, "feedback": feedback, **seen.row()})
                show(rows[-1])
    for uplink, feedback in ways:
        show(medians([row for row in rows if (row["uplink"], row["feedback"]) == (uplink, feedback)]))
    return rows


def main() -> None:
    parser = command(__doc__, results="ingest")
    parser.add_argument("--uplink", nargs="+", default=["free", "1200"], help='"free" or kbit/s')
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=14.0)
    options = parse(parser, uplink=["free"], runs=1, seconds=4.0)
    rows = measure(options.uplink, {"remb": remb}, runs=options.runs, seconds=options.seconds)
    keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
