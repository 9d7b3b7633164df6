"""`mien serve` where it cannot listen, or where what it serves will not work: one line that says what helps."""

import contextlib
import os
import socket
import subprocess
import sys

import pytest

from mien.cli import listening
from mien.cli.listening import cautions, open_listeners, url_of
from mien.config import Settings
from mien.errors import AddressError

WIDE = "0.0.0.0"  # noqa: S104  # what is tested


@contextlib.contextmanager
def taken(host="127.0.0.1", family=socket.AF_INET):
    with socket.socket(family) as other:
        other.bind((host, 0))
        other.listen()
        yield other.getsockname()[1]


def has_ipv6():
    try:
        with taken("::1", socket.AF_INET6):
            return True
    except OSError:
        return False


def serve(tmp_path, *arguments):
    """Run the real command, which must end by itself."""
    environment = os.environ | {"MIEN_DATA_DIR": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-m", "mien", "serve", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def refusal(host, port=0):
    with pytest.raises(AddressError) as refused:
        open_listeners(host, port)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_taken_port_ends_the_command_in_one_line_that_names_a_free_one(tmp_path):
    with taken() as port:
        ended = serve(tmp_path, "--port", str(port))
        assert ended.returncode == 2
        assert ended.stdout == ""
        (line,) = ended.stderr.splitlines()
        assert line.startswith("error[settings.address]: ")
        assert str(port) in line
        other = int(line.rpartition("--port ")[2])
        for listener in open_listeners("127.0.0.1", other):
            listener.close()


def test_a_data_folder_that_cannot_be_written_ends_the_command_in_one_line_that_names_the_setting(tmp_path):
    (tmp_path / "file").write_text("no folder")
    ended = serve(tmp_path / "file" / "data", "--port", "0")
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"error[settings]: {tmp_path / 'file' / 'data'} cannot be written: ")
    assert "MIEN_DATA_DIR" in line


@pytest.mark.parametrize("host", ["no-such-host.invalid", "999.1.1.1", "", "a b", "x" * 70, "http://127.0.0.1"])
def test_what_is_no_address_is_said_to_be_none(host):
    assert "127.0.0.1" in refusal(host)


def test_an_address_of_another_machine_is_not_this_ones():
    assert "this machine has no address 192.0.2.7" in refusal("192.0.2.7")  # RFC 5737: nobody's


def test_a_port_that_needs_a_privilege_is_said_with_one_that_needs_none(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(listening, "_listen", refuse)  # root may listen on any
    assert "--port 8000" in refusal("127.0.0.1", 80)


def test_a_machine_without_ipv6_listens_on_the_rest_of_a_name(monkeypatch):
    targets = [(socket.AF_INET6, "::1", 0), (socket.AF_INET, "127.0.0.1", 0)]
    monkeypatch.setattr(listening, "_targets", lambda _host: targets)
    listen = listening._listen

    def without_ipv6(family, *rest):
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return listen(family, *rest)

    monkeypatch.setattr(listening, "_listen", without_ipv6)
    (listener,) = open_listeners("localhost", 0)
    assert listener.getsockname()[0] == "127.0.0.1"
    listener.close()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_with_or_without_brackets_is_listened_to_and_said_with_them():
    for host in ("::1", "[::1]"):
        (listener,) = open_listeners(host, 0)
        assert listener.family == socket.AF_INET6
        assert url_of(host, 8000) == "http://[::1]:8000"
        listener.close()
    with taken("::1", socket.AF_INET6) as port:
        assert f"port {port} of ::1" in refusal("::1", port)


def test_a_name_of_two_addresses_is_refused_where_one_of_them_is_taken(monkeypatch):
    targets = [(socket.AF_INET, "127.0.0.2", 0), (socket.AF_INET, "127.0.0.1", 0)]
    monkeypatch.setattr(listening, "_targets", lambda _host: targets)
    with taken() as port:
        assert "listens on port" in refusal("localhost", port)
        with socket.socket() as other:
            other.bind(("127.0.0.2", port))  # what was opened before the refusal is closed again


def test_listeners_of_one_name_share_a_port_that_was_chosen_for_them(monkeypatch):
    targets = [(socket.AF_INET, "127.0.0.2", 0), (socket.AF_INET, "127.0.0.1", 0)]
    monkeypatch.setattr(listening, "_targets", lambda _host: targets)
    listeners = open_listeners("localhost", 0)
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    ("host", "token", "words"),
    [
        ("127.0.0.1", None, []),
        ("localhost", None, []),
        ("::1", None, []),
        (WIDE, None, ["MIEN_WHIP_TOKEN", "https"]),
        ("::", None, ["MIEN_WHIP_TOKEN", "https"]),
        ("192.0.2.7", None, ["MIEN_WHIP_TOKEN", "https"]),
        (WIDE, "sixteen-characters", ["https"]),
    ],
)
def test_a_server_for_others_says_what_will_not_work(host, token, words):
    said = list(cautions(Settings(host=host, whip_token=token)))
    assert len(said) == len(words)
    assert all(word in f"{caution.detail} {caution.mend}" for word, caution in zip(words, said, strict=True))


@pytest.mark.parametrize(("host", "url"), [(WIDE, "localhost"), ("::", "localhost"), ("::1", "[::1]"), ("a.b", "a.b")])
def test_the_address_that_is_printed_can_be_opened_in_a_browser(host, url):
    assert url_of(host, 81) == f"http://{url}:81"
