"""The kernels' way out and Python's: the same datagrams, whatever the slice, the line and what the system says."""

import contextlib
import gc
import socket
import weakref
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from mien import native
from mien.media.webrtc.aiortc_internals import SrtpWriter, send_waiting, srtp_writer
from mien.media.webrtc.packets import PackedFrame, PacketBatch, layout

GCM = b"SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44
SMALLER_GCM = b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28
COUNTER_MODE = b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30
EXTENSION = bytes.fromhex("bede000210303200000000 00")
SO_NO_CHECK = 11

needs_kernels = pytest.mark.skipif(native.kernels is None, reason="no kernels here: there is only one way")


def session(profile, direction):
    _, number, key_length = profile
    policy = Policy(key=bytes(range(key_length)), ssrc_type=direction, srtp_profile=number)
    policy.window_size, policy.allow_repeat_tx = 1024, True
    return Session(policy)


class Line:
    """A writer whose far end is a socket of this process."""

    def __init__(self, stack, profile=GCM, *, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.own, self.far = (
            stack.enter_context(contextlib.closing(socket.socket(family, socket.SOCK_DGRAM))) for _ in range(2)
        )
        for one in (self.own, self.far):
            one.bind((host, 0))
            one.setblocking(False)
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.relayed = []
        transport = SimpleNamespace(
            get_extra_info=lambda _name: SimpleNamespace(_sock=self.own),
            sendto=lambda data, _address: self.relayed.append(data),
        )
        self.pair = SimpleNamespace(
            protocol=SimpleNamespace(transport=transport), remote_addr=(host, self.far.getsockname()[1])
        )
        self.pairs = {1: self.pair}
        self.writer = SrtpWriter(
            SimpleNamespace(
                _ssl=SimpleNamespace(get_selected_srtp_profile=lambda: profile[0]),
                _tx_srtp=session(profile, Policy.SSRC_ANY_OUTBOUND),
                transport=SimpleNamespace(_connection=SimpleNamespace(_nominated=self.pairs)),
            )
        )
        self.receive = session(profile, Policy.SSRC_ANY_INBOUND)

    def arrived(self):
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.far.recv(2048))
        return found


@pytest.fixture
def stack():
    with contextlib.ExitStack() as held:
        yield held


@pytest.fixture(params=[pytest.param(True, marks=needs_kernels, id="kernels"), pytest.param(False, id="python")])
def way(request, monkeypatch):
    """Both ways, one after the other."""
    if not request.param:
        monkeypatch.setattr(srtp_writer, "_PROTECT_ADDRESS", None)


def batch(sizes, *, has_picture_id=True):
    payloads = tuple(bytes([0x80, 0x80, 0x80, 0, *(number % 256 for number in range(size))]) for size in sizes)
    frame = PackedFrame(payloads, 3000, has_picture_id=has_picture_id)
    return PacketBatch(frame, 0, len(payloads), 0x123456)


def send(lines, one, *, sequence=100, timestamp=0xFFFF_FFF0, picture_id=0x7FFF, extension=EXTENSION):
    for number, line in enumerate(lines):
        template = one.template(layout(97, extension, 19 if extension else None, line.writer.tag))
        line.writer.send(template, sequence, timestamp, 7 + number, picture_id)
    send_waiting(one.templates)


@needs_kernels
@pytest.mark.parametrize("profile", [GCM, SMALLER_GCM, COUNTER_MODE])
@given(
    sizes=st.lists(st.integers(0, 1100), min_size=1, max_size=20) | st.lists(st.just(1100), min_size=1, max_size=45),
    sequence=st.integers(0, 70_000),
    extension=st.sampled_from([EXTENSION, b""]),
    has_picture_id=st.booleans(),
)
def test_kernels_and_python_send_the_same_bytes(profile, sizes, sequence, extension, has_picture_id):
    sent = []
    for slow in (False, True):
        with contextlib.ExitStack() as held, pytest.MonkeyPatch.context() as patch:
            if slow:
                patch.setattr(srtp_writer, "_PROTECT_ADDRESS", None)
            lines = [Line(held, profile) for _ in range(3)]
            send(lines, batch(sizes, has_picture_id=has_picture_id), sequence=sequence, extension=extension)
            sent.append([line.arrived() for line in lines])
            assert all(line.writer.refused == 0 for line in lines)
    assert sent[0] == sent[1]
    assert [len(each) for each in sent[0]] == [len(sizes)] * 3


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.usefixtures("way")
def test_a_far_end_reads_what_was_sent_also_when_numbers_wrap(stack, host):
    try:
        line = Line(stack, host=host)
    except OSError:
        pytest.skip("this machine has no such address")
    plain = []
    for sequence in range(65_480, 65_480 + 300, 10):
        send([line], batch([500] * 9 + [90]), sequence=sequence, timestamp=sequence * 3000 % (1 << 32))
        plain += [line.receive.unprotect(data) for data in line.arrived()]
    assert [int.from_bytes(one[2:4], "big") for one in plain] == [(65_480 + n) % 65_536 for n in range(300)]
    assert {one[12:24] for one in plain} == {EXTENSION[:7] + bytes.fromhex("123456") + EXTENSION[10:]}
    assert {one[24:28] for one in plain} == {b"\x80\x80\xff\xff"}
    assert [one[1] >> 7 for one in plain] == ([0] * 9 + [1]) * 30


@pytest.mark.usefixtures("way")
def test_where_the_system_cuts_nothing_up_packets_leave_one_by_one_from_then_on(stack):
    line, other = Line(stack), Line(stack)
    # Without checksums Linux refuses to cut a send into packets.
    line.own.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    for sequence in (100, 200):
        send([line, other], batch([500] * 9 + [90]), sequence=sequence)
        assert [len(line.arrived()), len(other.arrived())] == [10, 10]
    assert (line.writer.refused, other.writer.refused) == (0, 0)
    assert (line.writer._line.segments, other.writer._line.segments) == (0, 1)


@pytest.mark.usefixtures("way")
def test_what_a_system_does_not_take_is_counted_and_costs_nobody_else_anything(stack):
    refusing, closed, gone, good = (Line(stack) for _ in range(4))
    refusing.pair.remote_addr = ("255.255.255.255", 9)
    closed.own.close()
    del gone.pairs[1]
    send([refusing, closed, gone, good], batch([1100] * 40))
    assert [line.writer.refused for line in (refusing, closed, gone, good)] == [40, 40, 40, 0]
    assert len(good.arrived()) == 40


@pytest.mark.usefixtures("way")
def test_a_line_whose_number_another_socket_got_sends_nothing_to_it(stack):
    line, other = Line(stack), Line(stack)
    send([line], batch([100]))
    number = line.own.fileno()
    line.own.close()
    heir = stack.enter_context(contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
    assert heir.fileno() == number
    line.arrived()
    send([line, other], batch([100]), sequence=101)
    assert (len(line.arrived()), len(other.arrived()), line.writer.refused) == (0, 1, 1)


@pytest.mark.usefixtures("way")
def test_lines_without_a_plain_socket_or_with_a_name_for_an_address_take_pythons_way(stack):
    relayed, named, plain = (Line(stack) for _ in range(3))
    relayed.pair.protocol.transport.get_extra_info = lambda _name: None
    named.pair.remote_addr = ("localhost", named.pair.remote_addr[1])
    send([relayed, named, plain], batch([500] * 3))
    assert [len(one) for one in relayed.relayed] == [12 + 12 + 504 + 16] * 3
    assert [len(line.arrived()) for line in (relayed, named, plain)] == [0, 3, 3]


@pytest.mark.usefixtures("way")
def test_a_line_follows_the_nominated_pair(stack):
    line, other = Line(stack), Line(stack)
    send([line], batch([100]))
    line.pairs[1] = other.pair
    send([line], batch([100]), sequence=101)
    assert (len(line.arrived()), len(other.arrived())) == (1, 1)


@needs_kernels
def test_who_leaves_while_packets_wait_is_kept_until_they_left(stack):
    line, one = Line(stack), batch([100] * 3)
    line.writer.send(one.template(layout(97, EXTENSION, 19, 16)), 1, 2, 3, 4)
    writer, line.writer = weakref.ref(line.writer), None
    gc.collect()
    assert writer() is not None
    send_waiting(one.templates)
    gc.collect()
    assert writer() is None
    assert len(line.arrived()) == 3


@needs_kernels
def test_a_slice_that_is_not_as_described_is_not_sent(stack):
    line = Line(stack)
    template = batch([100] * 3).template(layout(97, EXTENSION, 19, 16))
    for places in ([0, 24, 30, 24], [0, 200], [0, -1], [40, 24], [0, 8]):
        line.writer.send(template, 1, 2, 3, 4)
        ((_, letter),) = template.waiting
        template.waiting.clear()
        data, numbers = native.ffi.from_buffer(bytes(40)), native.ffi.new("int32_t[]", places)
        about = {"data": data, "places": numbers, "size": 40, "count": len(places) // 2, "tag": 16}
        described = native.ffi.new("struct mien_slice *", about)
        room = native.ffi.new("uint8_t[]", 40)
        letters = native.ffi.from_buffer("struct mien_letter[]", letter)
        assert native.kernels.mien_send(srtp_writer._PROTECT_ADDRESS, described, letters, 1, room, 40) == -1
    assert not line.arrived()


def test_letters_are_laid_out_as_the_kernels_read_them():
    letter = native.ffi.new("struct mien_letter *", {"timestamp": 1, "ssrc": 2, "socket": -1, "sequence": 3})
    letter.picture_id = 4
    assert bytes(native.ffi.buffer(letter)) == srtp_writer._PACK_LETTER(0, 1, 2, -1, 3, 4)
