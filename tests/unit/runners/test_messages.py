import asyncio
import json
import pickle
import socket
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.app.people.file import PackedPerson
from mien.app.people.reader import PhotoPerson
from mien.app.personas.file import PackedReference
from mien.app.ports import StreamSpec
from mien.app.profiles import HELPS, STEPS, Costs, Means, ProfileReport
from mien.app.states import (
    DELAY_BOUNDS_S,
    BroadcastState,
    FaceReport,
    LiveCounts,
    LiveLimits,
    LiveReport,
    LiveStats,
    PrimaryChoice,
    PushReport,
)
from mien.errors import (
    FacePhotoError,
    LiveLostError,
    MessageError,
    MienError,
    PersonaError,
    PhotoFinding,
    PolicyError,
    TokenError,
    UnknownPersonError,
)
from mien.media.recording.recorder import RecordingLimits
from mien.media.webrtc.ice.candidates import TYPES, Candidate
from mien.media.webrtc.ice.network import IceNetworkSettings
from mien.media.webrtc.sdp.parse import Fragment, Offer
from mien.runners.awake_clock import AwakeClock
from mien.runners.channel import MAX_FIELDS_BYTES, NO_CALL, VERSION, Channel, Said, encode
from mien.runners.messages import (
    Asset,
    Calibrated,
    Configure,
    Done,
    Failed,
    PeerAnswer,
    Publish,
    Push,
    PushBegun,
    Report,
    SetPolicy,
    Start,
    Still,
    TakeThumbnail,
    Thumbnail,
    Trace,
    Treat,
    Trickle,
    Watch,
)
from mien.runners.owner_messages import ChoosePrimary, PrimaryChosen
from mien.runners.photo_messages import PhotosRead, ReadPhotos
from mien.runners.verbs import FROM_PHOTO_WORKER, FROM_WORKER, TO_PHOTO_WORKER, TO_WORKER, VERBS
from mien.runners.wire_forms import IceNetworkForm, StreamForm, digest_of, pack_stream, unpack_stream
from mien.runners.worker import _Worker
from mien.runners.worker_process import WorkerProcess
from mien.vision.photos.quality import PhotoIssue
from mien.vision.types import Doubt
from support.policies import live_swap, showing, wearing

EVERY_KIND = TO_WORKER | FROM_WORKER | TO_PHOTO_WORKER | FROM_PHOTO_WORKER
HEAD = struct.Struct("!HIBII")

# Messages of every kind -----------------------------------------------------------------------------------------

count = st.integers(0, 2**53)
number = st.floats(0, 1e6)
identity = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
text = st.text(st.characters(categories=["L", "N", "P"]), max_size=80)
octets = st.integers(0, 65_536)
candidate = st.builds(
    Candidate,
    priority=st.integers(0, 2**32 - 1),
    address=st.ip_addresses().map(str),
    port=st.integers(1, 65_535),
    kind=st.sampled_from(TYPES),
)
candidates = st.lists(candidate, max_size=4).map(tuple)
finding = st.builds(
    PhotoFinding, code=st.sampled_from([issue.value for issue in PhotoIssue]), value=number, limit=number
)
findings = st.lists(st.lists(finding, max_size=3).map(tuple), max_size=5).map(tuple)
cost = st.floats(0.001, 60_000)
costs = st.none() | st.builds(Costs, cost, cost, cost)
means = st.none() | st.builds(Means, costs, st.floats(0.1, 1024), st.integers(0, 1000))
share = st.floats(0, 1)
face_told = st.builds(
    FaceReport,
    id=count,
    box=st.tuples(share, share, share, share),
    treatment=st.sampled_from(["swap", "mosaic", "show"]),
    person=st.sampled_from(["", "1", "17"]),
    doubt=st.sampled_from(["", *(doubt.value for doubt in Doubt)]),
)
choice = st.builds(PrimaryChoice, face=count) | st.builds(PrimaryChoice, point=st.tuples(share, share))
report = st.builds(
    LiveReport,
    idle_s=number,
    stats=st.builds(
        LiveStats,
        fps_in=number,
        fps_out=number,
        vision_ms=st.none() | number,
        server_delay_ms=st.none() | number,
        viewers=count,
        faces=st.dictionaries(st.sampled_from(["swap", "mosaic", "show"]), count),
        layers=st.dictionaries(st.sampled_from("012"), count),
        size_wh=st.none() | st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
        codec=st.sampled_from([None, "VP8", "H264"]),
        profile=st.builds(
            ProfileReport,
            name=st.sampled_from(list(STEPS)),
            reason=st.sampled_from(["set", "measured", "unmeasured", "overload", "headroom"]),
            helps=st.lists(st.sampled_from(HELPS), unique=True).map(tuple),
        ),
        pushes=st.dictionaries(
            identity,
            st.builds(
                PushReport,
                state=st.sampled_from(["live", "ended"]),
                packets=count,
                octets=count,
                resent=count,
                trouble=st.none() | text,
            ),
            max_size=3,
        ),
        recording=st.none(),
        seen=st.lists(face_told, max_size=3).map(tuple),
        asked_primary=count,
        counts=st.builds(
            LiveCounts,
            frames_in=count,
            frames_out=count,
            dropped=count,
            vision_errors=count,
            delay_sum_s=number,
            delays=st.lists(count, min_size=len(DELAY_BOUNDS_S) + 1, max_size=len(DELAY_BOUNDS_S) + 1).map(tuple),
        ),
    ),
)
offer = st.builds(Offer, candidates=candidates, octets=octets)
network = st.builds(
    IceNetworkForm,
    udp_ports=st.none() | st.tuples(st.integers(1, 20_000), st.integers(20_000, 65_535)),
)
limits = st.builds(
    LiveLimits,
    recordings_dir=st.none() | st.just(Path("/srv/recordings")),
    push_targets=...,
    recording=st.builds(RecordingLimits, max_bytes=st.none() | count, max_s=st.none() | number, queue_bytes=count),
)
SPECIAL = {
    Configure: st.builds(Configure, limits=limits, ice_network=network),
    Start: st.builds(Start, means=means),
    Calibrated: st.builds(Calibrated, costs=costs),
    Publish: st.builds(Publish, offer=offer),
    Watch: st.builds(Watch, offer=offer),
    Trickle: st.builds(Trickle, fragment=st.builds(Fragment, candidates=candidates, octets=octets)),
    PeerAnswer: st.builds(PeerAnswer, session_id=identity),
    PushBegun: st.builds(PushBegun, push_id=identity),
    Thumbnail: st.builds(Thumbnail, body=st.binary().map(lambda data: data and b"\xff\xd8" + data)),
    ReadPhotos: st.builds(ReadPhotos, count=st.integers(1, 64)),
    Failed: st.builds(Failed, text=text, findings=findings),
    PhotosRead: st.builds(PhotosRead, findings=findings),
    Report: st.builds(Report, report=report),
    Treat: st.builds(Treat, at=number),
    Trace: st.builds(Trace, seconds=st.floats(0.01, 5.0)),
    Still: st.builds(Still, at=st.none() | number),
    ChoosePrimary: st.builds(ChoosePrimary, choice=choice),
    PrimaryChosen: st.builds(PrimaryChosen, face=count),
}
EXAMPLES = {kind: SPECIAL.get(kind, st.builds(kind)) for kind in EVERY_KIND.values()}
messages = st.one_of(list(EXAMPLES.values()))


def received(data: bytes, hears=EVERY_KIND) -> Said:
    """Return the first message that a channel makes of bytes."""

    async def receive():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await Channel(reader, None, hears=hears).receive()

    return asyncio.run(receive())


def framed(kind: bytes, fields_json: bytes = b"{}", body: bytes = b"", *, version: int = VERSION) -> bytes:
    return HEAD.pack(version, 1, len(kind), len(fields_json), len(body)) + kind + fields_json + body


@pytest.mark.parametrize("kind", EVERY_KIND.values(), ids=list(EVERY_KIND))
@settings(max_examples=30)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_every_message_comes_as_it_was_sent(kind, data, call):
    message = data.draw(EXAMPLES[kind])
    said = received(b"".join(encode(call, message)))
    assert said == Said(call, message)
    assert type(said.message) is kind


@settings(max_examples=400)
@given(messages, st.data())
def test_spoilt_bytes_are_a_message_of_the_protocol_or_an_error_and_nothing_else(message, data):
    sent = bytearray(b"".join(encode(7, message)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(sent) - 1))
        sent[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        if not sent:
            break
    try:
        said = received(bytes(sent))
    except LiveLostError:
        return
    assert type(said.message) in EVERY_KIND.values()
    assert received(b"".join(encode(said.call, said.message))) == said


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_noise_is_an_error(data):
    with pytest.raises(LiveLostError):
        received(data)


# What is refused ------------------------------------------------------------------------------------------------


def test_another_version_is_refused_before_anything_is_parsed():
    with pytest.raises(MessageError, match=f"speaks version {VERSION + 1} of the protocol, this one {VERSION}"):
        received(framed(b"done", b"this is no JSON", version=VERSION + 1))


@pytest.mark.parametrize("kind", [b"__init__", b"", b"serve", b"\xff\xfe", b"Done", b"done\x00", b"keep"])
def test_a_kind_that_is_none_is_refused(kind):
    with pytest.raises(MessageError, match="may not come here"):
        received(framed(kind))


def test_each_end_hears_only_what_the_other_may_say():
    for kind in TO_WORKER:
        with pytest.raises(MessageError, match="may not come here"):
            received(framed(kind.encode()), FROM_WORKER)
    with pytest.raises(MessageError):
        received(framed(b"report"), TO_WORKER)
    with pytest.raises(MessageError):
        received(framed(b"peer_answer"), FROM_PHOTO_WORKER)
    with pytest.raises(MessageError):
        received(framed(b"publish"), TO_PHOTO_WORKER)


@pytest.mark.parametrize(
    ("kind", "lengths"),
    [
        pytest.param(Report, (MAX_FIELDS_BYTES + 1, 0), id="fields"),
        pytest.param(Thumbnail, (2, Thumbnail.max_body + 1), id="body"),
        pytest.param(Done, (2, 1), id="body of a kind that has none"),
        pytest.param(Asset, (2, 2**32 - 1), id="all that a length can say"),
    ],
)
def test_a_length_that_is_too_large_is_refused_before_it_is_read(kind, lengths):
    name = kind.kind.encode()
    with pytest.raises(MessageError, match="bytes, got"):
        received(HEAD.pack(VERSION, 1, len(name), *lengths) + name)  # nothing follows


PLAIN_REPORT = json.loads(b"".join(encode(0, Report(LiveReport()))[1:2]))


def seen(**more):
    return {"id": 1, "box": [0.0, 0.0, 0.5, 1.0], "treatment": "show", "person": "7", "doubt": "turned"} | more


def test_a_report_tells_of_faces():
    (told,) = received(framed(b"report", spoilt_report("stats", "seen", value=[seen()]))).message.report.stats.seen
    assert told == FaceReport(1, (0.0, 0.0, 0.5, 1.0), "show", person="7", doubt="turned")


def spoilt_report(*path, value) -> bytes:
    plain = json.loads(json.dumps(PLAIN_REPORT))
    inner = plain["report"]
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return json.dumps(plain).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("state",), "on fire", id="no such state"),
        pytest.param(("idle_s",), -1.0, id="negative time"),
        pytest.param(("idle_s",), "1", id="text for a number"),
        pytest.param(("idle_s",), float("inf"), id="endless"),
        pytest.param(("idle_s",), float("nan"), id="no number"),
        pytest.param(("more",), 1, id="a field too many"),
        pytest.param(("stats", "viewers"), True, id="true for a count"),
        pytest.param(("stats", "viewers"), 10**400, id="a count of four hundred digits"),
        pytest.param(("stats", "viewers"), -1, id="negative count"),
        pytest.param(("stats", "counts", "delays"), [0], id="delays in other classes"),
        pytest.param(("stats", "faces"), {"a\r\nSet-Cookie: b": 1}, id="a name that is none"),
        pytest.param(("stats", "faces"), {f"f{n}": 1 for n in range(100)}, id="too many names"),
        pytest.param(("stats", "size_wh"), [0, 10], id="no size"),
        pytest.param(("stats", "size_wh"), [1, 2, 3], id="a size of three sides"),
        pytest.param(("stats", "recording"), {"files": ["../../etc/passwd"]}, id="a path for a file's name"),
        pytest.param(("stats", "recording"), {"files": [".hidden"]}, id="a hidden file"),
        pytest.param(("stats", "profile", "name"), "best", id="no such profile"),
        pytest.param(("stats", "asked_primary"), 2**60, id="a face beyond all counting"),
        pytest.param(("stats", "asked_primary"), -1, id="no such face"),
        pytest.param(("stats", "seen"), [seen()] * 33, id="more faces than are told of"),
        pytest.param(("stats", "seen"), [seen(box=[0, 0, 1, 1.5])], id="a face out of the frame"),
        pytest.param(("stats", "seen"), [seen(box=[0, 0, 1, float("nan")])], id="a face nowhere"),
        pytest.param(("stats", "seen"), [seen(treatment="<b>")], id="a treatment that is none"),
        pytest.param(("stats", "seen"), [seen(doubt="because")], id="a doubt that is none"),
        pytest.param(("stats", "seen"), [seen(person="a b")], id="a person without a number"),
        pytest.param(("stats", "seen"), [seen(id=10**400)], id="a face of four hundred digits"),
        pytest.param(("stats", "seen"), [seen(embedding=[0.0])], id="what a face is known by"),
        pytest.param(("stats", "profile", "helps"), ["measure"] * 100, id="more help than there is"),
        pytest.param(("stats", "pushes"), {"id": {"state": "live", "trouble": "\x1b[2J"}}, id="a terminal's code"),
    ],
)
def test_a_report_that_lies_is_refused(path, value):
    with pytest.raises(MessageError, match="report does not fit"):
        received(framed(b"report", spoilt_report(*path, value=value)))


@pytest.mark.parametrize(
    ("kind", "fields_json", "body"),
    [
        pytest.param(b"peer_answer", b'{"session_id": "a\\r\\nLocation: b", "sdp": ""}', b"", id="id with a line end"),
        pytest.param(b"peer_answer", b'{"session_id": "../x", "sdp": ""}', b"", id="id that is a path"),
        pytest.param(b"peer_answer", b'{"session_id": "a"}', b"", id="field missing"),
        pytest.param(b"push_begun", b'{"push_id": 1}', b"", id="number for an id"),
        pytest.param(b"thumbnail", b"{}", b"<script>", id="no JPEG"),
        pytest.param(b"thumbnail", b'{"body": "eA=="}', b"", id="body among the fields"),
        pytest.param(b"failed", b'{"code": "live", "text": "\\u001b[31m"}', b"", id="a text for terminals"),
        pytest.param(b"photos_read", b'{"findings": [[{"code": "no such"}]]}', b"x", id="no such finding"),
        pytest.param(b"check_peer", b'{"session_id": "a", "role": "admin"}', b"", id="no such role"),
        pytest.param(b"treat", b'{"at": NaN}', b"", id="no time"),
        pytest.param(
            b"calibrated",
            b'{"costs": {"mosaic_ms": 1, "swap_ms": 1, "encode_ms": -1}}',
            b"",
            id="a cost below nothing",
        ),
        pytest.param(b"calibrated", b'{"costs": {"mosaic_ms": 1}}', b"", id="costs missing"),
        pytest.param(b"done", b"[]", b"", id="a list"),
        pytest.param(b"done", b"", b"", id="nothing"),
        pytest.param(b"done", b"[" * 100_000, b"", id="deep nesting"),
        pytest.param(b"done", pickle.dumps({}), b"", id="a pickle"),
    ],
)
def test_fields_that_do_not_fit_are_refused(kind, fields_json, body):
    with pytest.raises(MessageError):
        received(framed(kind, fields_json, body))


def test_a_refusal_does_not_repeat_secrets():
    with pytest.raises(MessageError) as refused:
        received(framed(b"push", json.dumps({"url": "https://x", "token": ["a-secret-token"]}).encode()))
    assert "a-secret-token" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": 70_000},
        {"priority": 2**32},
        {"address": "localhost"},
        {"address": "010.0.0.1"},
        {"kind": "friend"},
    ],
)
def test_a_candidate_that_the_parser_would_not_have_let_pass_is_refused(wrong):
    fits = Candidate(1, "192.0.2.1", 5000, "host")
    Trickle("a", Fragment(None, (fits,), complete=False, octets=1))
    with pytest.raises(ValueError):  # noqa: PT011  # each has its own words
        Trickle("a", Fragment(None, (replace(fits, **wrong),), complete=False, octets=1))


# Errors and policies --------------------------------------------------------------------------------------------


def test_an_error_comes_as_the_class_that_it_was():
    found = ((PhotoFinding(PhotoIssue.BLURRED.value, "warn", 1.0, 2.0),),)
    error = Failed.of(FacePhotoError("not sharp\nat all", findings=found)).error
    assert (type(error), str(error), error.findings) == (FacePhotoError, "not sharp at all", found)
    assert type(Failed("no.such.code", "x").error) is MienError


def test_a_worker_is_not_believed_that_somebody_has_no_right():
    assert type(Failed(TokenError.code, "x").error) is MienError


def test_an_error_of_any_length_can_be_told():
    assert len(Failed.of(MienError("x" * 10_000)).error.args[0]) == 500


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(StreamSpec(delay_frames=3), id="a mosaic"),
        pytest.param(live_swap(everyone=True), id="a mask"),
        pytest.param(wearing(b"packed"), id="photos"),
        pytest.param(wearing(b"one", b"two"), id="two personas"),
        pytest.param(wearing(b"same", b"same"), id="the same photos twice"),
        pytest.param(StreamSpec(showing("1"), people={"1": PackedPerson(b"ann")}), id="a person"),
        pytest.param(
            StreamSpec(showing("1", "7"), people={"1": PackedPerson(b"ann"), "7": PackedPerson(b"bob")}),
            id="two people",
        ),
    ],
)
def test_what_a_stream_gets_arrives_as_it_was_sent(spec):
    form, assets = pack_stream(spec)
    assert unpack_stream(form, {"other": b""} | assets) == (spec, assets)


def test_a_policy_that_is_none_is_refused():
    with pytest.raises(PolicyError):
        unpack_stream(StreamForm('{"version": 9}', {}, None), {})


def test_a_policy_whose_persona_did_not_come_is_refused():
    form, _ = pack_stream(wearing(b"packed"))
    with pytest.raises(PersonaError):
        unpack_stream(form, {})


def test_a_policy_whose_people_did_not_come_is_refused():
    form, _ = pack_stream(StreamSpec(showing("1"), people={"1": PackedPerson(b"ann")}))
    with pytest.raises(PersonaError):
        unpack_stream(form, {})


def test_who_was_read_in_this_process_cannot_travel():
    with pytest.raises(UnknownPersonError):
        pack_stream(StreamSpec(showing("1"), people={"1": PhotoPerson(())}))


def test_a_hundred_people_are_one_asset():
    people = {str(number): PackedPerson(bytes([number])) for number in range(100)}
    assert len(pack_stream(StreamSpec(showing(*people), people=people))[1]) == 1


def test_network_settings_arrive_as_they_were_sent():
    settings = IceNetworkSettings(("eth0",), ("203.0.113.7",), range(40_000, 40_010), ("10.0.0.0/8",))
    assert IceNetworkForm.of(settings).settings == settings


# The web process and a worker that lies -------------------------------------------------------------------------


class Process:
    """A process without one."""

    pid = 1

    def __init__(self):
        self.killed = asyncio.Event()

    async def wait(self):
        await self.killed.wait()
        return -9

    def kill(self):
        self.killed.set()


class Liar:
    """A worker's end of a line, on which a test says what it likes."""

    def __init__(self, worker, process, theirs):
        self.worker, self.process, self.theirs = worker, process, theirs

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.theirs, data)

    async def is_put_down(self) -> None:
        async with asyncio.timeout(30):
            await self.process.killed.wait()
            await self.worker.gone.wait()


@pytest.fixture
async def liar():
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    process = Process()
    worker = WorkerProcess(process, await Channel.over(ours, hears=FROM_WORKER), AwakeClock())
    worker._ready = True
    running = asyncio.create_task(worker.run())
    with theirs:
        yield Liar(worker, process, theirs)
    process.kill()
    async with asyncio.timeout(30):
        await running


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(framed(b"done", version=VERSION + 1), id="another version"),
        pytest.param(framed(b"end"), id="a verb of the web process"),
        pytest.param(framed(b"report", spoilt_report("stats", "counts", "delays", value=[0])), id="a spoilt report"),
        pytest.param(framed(b"thumbnail", b"{}", b"\xff\xd8"), id="an answer to another question"),
        pytest.param(framed(b"peer_answer", b'{"session_id": "a\\nb", "sdp": ""}'), id="a session id with a line end"),
        pytest.param(pickle.dumps(Path("/")), id="a pickle"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" * 4, id="another protocol"),
    ],
)
async def test_a_worker_that_lies_is_killed_and_whoever_waits_is_told(liar, lie):
    asked = asyncio.create_task(liar.worker.call(Publish(an_offer()), PeerAnswer))
    await asyncio.sleep(0)
    await liar.say(lie)
    await liar.is_put_down()
    with pytest.raises(LiveLostError, match="started again") as lost:
        await asked
    assert type(lost.value) is LiveLostError
    assert liar.worker.report == LiveReport()
    assert not liar.worker.ended_well


async def test_a_late_answer_is_not_a_lie(liar):
    await liar.say(b"".join(encode(99, PeerAnswer("a", ""))))
    live = LiveReport(state=BroadcastState.WAITING, idle_s=5.0)
    await liar.say(b"".join(encode(NO_CALL, Report(live))))
    async with asyncio.timeout(30):
        while liar.worker.report != live:  # noqa: ASYNC110  # said over a line without an event
            await asyncio.sleep(0.01)
    assert not liar.process.killed.is_set()


def an_offer() -> Offer:
    return Offer("v=0", ("video",), (), (), "abcd", (), (), 3, is_dtls_client=False, parameter_sets="")


async def test_a_persona_goes_over_the_line_once_and_again_after_another_policy(liar):
    theirs = await Channel.over(liar.theirs.dup(), hears=TO_WORKER)
    spec = wearing(b"packed")

    async def told(policy):
        asked = asyncio.create_task(liar.worker.call_with_spec(policy, SetPolicy))
        heard = [await theirs.receive()]
        if isinstance(heard[0].message, Asset):
            heard.append(await theirs.receive())
        await theirs.send((heard[-1].call, Done()))
        await asked
        return [said.message for said in heard]

    form = pack_stream(spec)[0]
    async with asyncio.timeout(30):
        assert await told(spec) == [Asset(b"packed"), SetPolicy(form)]
        assert await told(spec) == [SetPolicy(form)]
        assert len(await told(StreamSpec())) == 1
        assert await told(spec) == [Asset(b"packed"), SetPolicy(form)]
    await theirs.close()


# A worker and a web process that lies ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(framed(b"end"), id="a verb before the settings"),
        pytest.param(framed(b"configure"), id="no settings"),
        pytest.param(framed(b"configure", version=VERSION + 1), id="another version"),
        pytest.param(pickle.dumps(Path("/")), id="a pickle"),
    ],
)
async def test_a_worker_that_hears_no_settings_ends_and_loads_nothing(lie):
    ours, theirs = socket.socketpair()
    loaded = []
    with ours:
        ours.sendall(lie)
        ours.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(30):
            await _Worker(lambda: loaded.append(1)).serve(theirs)
    assert not loaded


def test_a_worker_keeps_no_more_assets_than_its_policy_names():
    worker = _Worker(lambda: None)
    for data in (b"one", b"two"):
        worker.keep(data)
    form, _ = pack_stream(wearing(b"two"))
    assert list(worker.stream_of(form).personas.values()) == [PackedReference(b"two")]
    assert set(worker._assets) == {digest_of(b"two")}
    worker.stream_of(pack_stream(StreamSpec())[0])
    assert not worker._assets


async def test_a_verb_before_the_session_is_refused_by_its_error():
    worker = _Worker(lambda: None)
    for asked in (TakeThumbnail(), Treat(0.0, b""), SetPolicy(pack_stream(StreamSpec())[0]), Push("https://x", None)):
        answer = await worker._carry_out(asked)
        assert isinstance(answer, Failed)
        assert answer.text == "the session has not begun"


def test_no_two_messages_have_the_same_name():
    directions = (TO_WORKER, FROM_WORKER, TO_PHOTO_WORKER, FROM_PHOTO_WORKER)
    named = {(name, kind) for direction in directions for name, kind in direction.items()}
    assert len(named) == len(EVERY_KIND)
    assert len(TO_WORKER) == len(VERBS)


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"face": 1, "point": [0.5, 0.5]}, id="both"),
        pytest.param({"face": -1}, id="no such face"),
        pytest.param({"point": [0.5, 1.5]}, id="out of the frame"),
        pytest.param({"point": [0.5]}, id="half a point"),
        pytest.param({"point": [0.5, float("nan")]}, id="nowhere"),
    ],
)
def test_a_choice_of_no_face_is_refused(choice):
    with pytest.raises(MessageError, match="choose_primary does not fit"):
        received(framed(b"choose_primary", json.dumps({"choice": choice}).encode()))
