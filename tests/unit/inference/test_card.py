import tomllib
from importlib.resources import files

import pytest

from mien.app.models import DEFAULT_MODELS
from mien.errors import CardError
from mien.inference.card import load_cards, read_card
from support.cards import card_values, https_source, sha256, small_card

CARDS = files("mien.inference") / "cards"
TEXT = (CARDS / "face-mesh.toml").read_text("utf-8")
DIGEST = "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814"


def test_the_cards_that_come_with_mien_can_be_read():
    assert {"centerface", "dlib-face", "face-mesh"} <= load_cards().keys()


def test_pull_without_names_fetches_what_the_pipelines_open():
    assert {card.id for card in load_cards().values() if card.default} == set(DEFAULT_MODELS)


@pytest.mark.parametrize("card_id", load_cards())
def test_every_card_says_whose_it_is_and_what_it_does_badly(card_id):
    card = load_cards()[card_id]
    assert card.licence in {"Apache-2.0", "CC0-1.0", "MIT"}
    assert len(card.provenance) > 60
    assert all(limit.endswith(".") for limit in card.limits)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param('use = "landmarks"', 'use = "landmarks"\ncolor = "red"', "color", id="unknown-key"),
        pytest.param("mean = 0.0", "mean = 0.0\nmedian = 1", "input.median", id="unknown-key-inside"),
        pytest.param('licence = "Apache-2.0"\n', "", "licence", id="missing-key"),
        pytest.param('"tflite"', '"pickle"', "conversion", id="unknown-conversion"),
        pytest.param('"face-mesh"', '"../mesh"', "id", id="id-that-is-a-path"),
        pytest.param('"face-mesh"', '"other"', "carries the id 'other'", id="id-of-another-file"),
        pytest.param("mediapipe==0.10.21", "mediapipe", "one version", id="unpinned"),
        pytest.param("mediapipe==0.10.21", "--index-url==1", "one version", id="a-flag-for-pip"),
        pytest.param("pypi:mediapipe==0.10.21", "pypi:a b==1", "one version", id="two-requirements"),
        pytest.param("pypi:", "ftp:", "pypi:, npm: or https:", id="unknown-registry"),
        pytest.param("pypi:mediapipe==0.10.21", "package:mediapipe", "or package:mien", id="somebody-elses-package"),
        pytest.param("pypi:mediapipe==0.10.21", "npm:mediapipe", "one version", id="npm-unpinned"),
        pytest.param('"mediapipe/modules', '"../modules', "inside the package", id="member-outside"),
        pytest.param('"mediapipe/modules', '"/modules', "inside the package", id="member-absolute"),
        pytest.param('file = "mediapipe-', 'file = "../mediapipe-', "plain file name", id="file-outside"),
        pytest.param("_28_x86_64.whl", "_28_x86_64.exe", "a wheel or an sdist", id="neither-wheel-nor-sdist"),
        pytest.param(DIGEST, DIGEST.upper(), "weights.sha256", id="digest-in-capitals"),
        pytest.param("bytes = 1242398", "bytes = 0", "weights.bytes", id="empty-weights"),
        pytest.param('title = "', "title = ", "is not TOML", id="not-toml"),
    ],
)
def test_a_wrong_card_says_what_is_wrong(old, new, complaint):
    assert old in TEXT
    with pytest.raises(CardError, match=complaint) as caught:
        read_card(TEXT.replace(old, new), name="face-mesh")
    assert caught.value.code == "model.card"


def test_a_package_needs_a_member():
    without = "\n".join(line for line in TEXT.splitlines() if not line.startswith("member"))
    with pytest.raises(CardError, match="needs the `member`"):
        read_card(without, name="face-mesh")


def test_a_loose_file_is_the_weights():
    weights, other = b"weights", b"other"
    assert small_card(weights).sources[0].sha256 == sha256(weights)
    with pytest.raises(ValueError, match="must be that of the weights"):
        small_card(weights, https_source("https://example.org/small.onnx", other))


def test_a_folder_of_cards_is_read_by_their_ids(tmp_path):
    (tmp_path / "face-mesh.toml").write_text(TEXT)
    (tmp_path / "notes.md").write_text("not a card")
    assert list(load_cards(tmp_path)) == ["face-mesh"]


def test_a_fixed_size_is_width_by_height_and_a_shape_is_height_by_width():
    values = card_values(b"w", [https_source("https://example.org/a", b"w")])
    values["input"] |= {"size_wh": [320, 240]}
    card = small_card(b"w", input=values["input"])
    assert card.input.shape == ("N", 3, 240, 320)
    assert tomllib.loads(TEXT)["input"]["size_wh"] == [192, 192]
