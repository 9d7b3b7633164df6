"""`mien models` on a machine that has none yet, and on one whose files went bad."""

import json

import pytest

from mien.cli import main
from mien.registry.convert import convert, recipe
from mien.registry.store import Receipt, Store
from support.cards import small_card, small_network


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run `mien models` over an empty folder; return the exit code and what was said on both streams."""
    monkeypatch.setenv("MIEN_MODELS_DIR", str(tmp_path / "models"))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ending:
            main(["models", *arguments])
        said = capsys.readouterr()
        return ending.value.code, said.out, said.err

    return run


def test_the_list_says_what_each_model_is_and_that_it_is_not_here(run):
    code, out, _ = run("list")
    assert code == 0
    mesh = next(line for line in out.splitlines() if line.startswith("face-mesh "))
    assert mesh.split() == ["face-mesh", "landmarks", "Apache-2.0", "1.2", "MB", "not", "here", "default"]


def test_the_list_comes_as_json(run, tmp_path):
    code, out, _ = run("list", "--json")
    rows = {row["id"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["dlib-face"]["licence"] == "CC0-1.0"
    assert rows["dlib-face"]["state"] == "not here"
    assert rows["dlib-face"]["path"] == str(tmp_path / "models" / "dlib-face.onnx")


def test_info_tells_origin_limits_and_contract(run):
    code, out, _ = run("info", "dlib-face")
    assert code == 0
    for wanted in ("CC0-1.0", "Davis King", "pypi:face-recognition-models==0.3.0", "150 x 150", "embedding ['N', 128]"):
        assert wanted in out


def test_info_comes_as_json(run):
    code, out, _ = run("info", "centerface", "--json")
    card = json.loads(out)
    assert code == 0
    assert [source["package"].split(":")[0] for source in card["sources"]] == ["pypi", "https"]
    assert card["input"]["stride"] == 32


@pytest.mark.parametrize("verb", ["info", "pull", "verify"])
def test_an_unknown_name_is_one_line_with_the_names_there_are(verb, run):
    code, _, err = run(verb, "face-mash")
    assert code == 1
    assert err.startswith("face-mash: error[model.unknown_card]" if verb == "verify" else "error[model.unknown_card]")
    assert "face-mesh" in err
    assert err.count("\n") == 1


def test_verifying_nothing_names_the_command_that_fetches(run):
    code, _, err = run("verify")
    assert code == 1
    assert err.startswith("error[model.fetch]: no model is in ")
    assert "run: mien models pull" in err


def test_verify_tells_whole_from_damaged(run, monkeypatch, tmp_path):
    weights = small_network()
    cards = {name: small_card(weights, id=name) for name in ("good", "bad")}
    monkeypatch.setattr("mien.registry.store.load_cards", lambda: cards)
    store = Store(tmp_path / "models")
    store.directory.mkdir()
    for card in cards.values():
        store._install(card, convert(weights, card), tmp_path)
    store.place("bad").write_bytes(b"something else")
    code, out, err = run("verify")
    assert code == 1
    assert out == "good: whole, and keeps its contract\n"
    assert err.startswith("bad: error[model.digest]: ")
    receipt = Receipt.model_validate_json((store.directory / "good.json").read_bytes())
    assert receipt.recipe == recipe(cards["good"])
