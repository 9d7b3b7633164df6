"""`mien treat` with the real eyes, as somebody would type it."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from mien.app.consent import STATEMENTS
from mien.cli import main
from mien.media.files.images import read_still
from mien.vision.types import Image
from support.busy import must_hide
from support.clips import Clip, decode, packets
from support.heif import heic
from support.judge import SAME_PERSON, Judge
from support.muxing import Film, mux
from support.photos import as_png, astronaut, hopper
from support.scenes import astronaut_frame

pytestmark = pytest.mark.models

FACE = (slice(60, 220), slice(170, 290))  # of the astronaut's photo
SIZE = (640, 360)


@pytest.fixture(scope="module")
def judge(runtime):
    return Judge(runtime)


@pytest.fixture
def folder(tmp_path, monkeypatch, runtime):  # noqa: ARG001  # the command needs the models that `runtime` fetched
    monkeypatch.setenv("MIEN_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "astronaut.png").write_bytes(as_png(astronaut()))
    (tmp_path / "hopper.png").write_bytes(as_png(hopper()))
    return tmp_path


def mien(*arguments: object) -> int:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as ending:
        main([str(argument) for argument in arguments])
    return ending.value.code


def scene(size_wh: tuple[int, int], index: int) -> Image:
    """Return frame `index` of the astronaut swaying, of an even size."""
    width, height = size_wh
    frame = Pillow.fromarray(astronaut_frame(index / 25))
    return np.asarray(frame.resize((width, height)), np.uint8)


def declared(folder: Path) -> list[dict[str, str]]:
    path = folder / "data" / "consents.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def label_is_on(image: Image) -> bool:
    """Say whether white letters on a dark plate stand in the top-right corner."""
    height, width = image.shape[:2]
    corner = image[round(height * 0.05) : round(height * 0.11), round(width * 0.7) : round(width * 0.95)]
    return bool((corner > 225).all(axis=2).mean() > 0.05 and (corner < 90).all(axis=2).mean() > 0.3)


# --- pictures ----------------------------------------------------------------------------------------------


def test_a_mosaic_hides_the_face_in_a_picture_and_says_so(folder, judge, capsys):
    assert mien("treat", folder / "astronaut.png", folder / "out.png", "--mosaic") == 0
    image = read_still(folder / "out.png").image
    assert np.abs(image[FACE].astype(int) - astronaut()[FACE]).mean() > 8
    assert judge.likeness(image, judge.embedding(astronaut())) < SAME_PERSON
    assert label_is_on(image)
    assert "faces: mosaic 1" in capsys.readouterr().out
    assert declared(folder) == []


@pytest.mark.parametrize("by", ["options", "environment"])
def test_style_and_shape_of_a_mosaic_are_options_and_settings(folder, monkeypatch, by):
    options = ("--mosaic-style", "solid", "--mosaic-shape", "head")
    if by == "environment":
        monkeypatch.setenv("MIEN_MOSAIC__STYLE", "solid")
        monkeypatch.setenv("MIEN_MOSAIC__SHAPE", "head")
        options = ()
    assert mien("treat", folder / "astronaut.png", folder / "out.png", "--mosaic", *options) == 0
    image = read_still(folder / "out.png").image
    assert len(np.unique(image[80:180, 190:260].reshape(-1, 3), axis=0)) == 1, "the whole face has one colour"


def test_an_unknown_style_is_refused(folder, capsys):
    spec = ("--mosaic", "--mosaic-style", "stars")
    assert mien("treat", folder / "astronaut.png", folder / "out.png", *spec) == 2
    assert "'cells', 'solid', 'blur'" in capsys.readouterr().err
    assert not (folder / "out.png").exists()


def test_a_mask_needs_nobodys_consent(folder):
    assert mien("treat", folder / "astronaut.png", folder / "out.jpg", "--swap-to", "mask:volto") == 0
    assert label_is_on(read_still(folder / "out.jpg").image)
    assert declared(folder) == []


def test_a_swap_records_who_declared_that_the_owner_agreed(folder, judge):
    command = ("treat", folder / "astronaut.png", folder / "out.png", "--swap-to", folder / "hopper.png")
    assert mien(*command, "--owner-agrees", "Kim Minji") == 0
    image = read_still(folder / "out.png").image
    reference, live = judge.embedding(hopper()), judge.embedding(astronaut())
    assert judge.likeness(image, reference) > float(reference @ live) + 0.05
    assert label_is_on(image)
    assert [(line["use"], line["declared_by"]) for line in declared(folder)] == [("swap", "Kim Minji")]


def test_a_folder_of_photos_is_one_face_each_on_record_and_the_coach_says_what_to_change(folder, judge, capsys):
    photos = folder / "hopper"
    photos.mkdir()
    (photos / "a.png").write_bytes(as_png(hopper()))
    (photos / "b.png").write_bytes(as_png((hopper() * 0.15).astype(np.uint8)))
    command = ("treat", folder / "astronaut.png", folder / "out.png", "--swap-to", photos)
    assert mien(*command, "--owner-agrees", "Kim") == 0
    image = read_still(folder / "out.png").image
    reference, live = judge.embedding(hopper()), judge.embedding(astronaut())
    assert judge.likeness(image, reference) > float(reference @ live) + 0.05
    assert [line["use"] for line in declared(folder)] == ["swap", "swap"]
    assert "b.png: The face is too dark" in capsys.readouterr().err


def test_photos_of_different_people_are_no_face_to_swap_in(folder, capsys):
    both = ("--swap-to", folder / "hopper.png", "--swap-to", folder / "astronaut.png")
    assert mien("treat", folder / "astronaut.png", folder / "out.png", *both, "--owner-agrees", "Kim") == 2
    assert "error[photo.different_people]: astronaut.png" in capsys.readouterr().err
    assert not (folder / "out.png").exists()


def test_somebody_surely_recognised_is_left_as_they_are_in_a_picture(folder):
    command = ("treat", folder / "astronaut.png", folder / "out.png", "--show", folder / "astronaut.png")
    assert mien(*command, "--owner-agrees", "Kim") == 0
    assert np.array_equal(read_still(folder / "out.png").image[FACE], astronaut()[FACE])


def test_a_policy_document_says_who_is_shown_and_who_is_swapped(folder, capsys):
    ann = {"subject": {"kind": "person", "id": "Ann"}, "treatment": {"kind": "show"}}
    everyone = {"subject": {"kind": "everyone"}, "treatment": {"kind": "swap", "persona": "reference:me"}}
    (folder / "policy.json").write_text(json.dumps({"version": 1, "rules": [ann, everyone]}))
    photos = ("--person", f"Ann={folder / 'astronaut.png'}", "--reference", f"me={folder / 'hopper.png'}")
    command = ("--policy", folder / "policy.json", *photos, "--owner-agrees", "Kim")
    assert mien("treat", folder / "astronaut.png", folder / "out.png", *command) == 0
    assert np.array_equal(read_still(folder / "out.png").image[FACE], astronaut()[FACE])
    assert mien("treat", folder / "hopper.png", folder / "swapped.png", *command) == 0
    assert "swap 1" in capsys.readouterr().out
    uses = [json.loads(line)["use"] for line in (folder / "data" / "consents.jsonl").read_text().splitlines()]
    assert uses == ["swap", "show"] * 2


def test_a_stranger_is_hidden_from_who_asked_to_show_somebody_else(folder, judge):
    command = ("treat", folder / "astronaut.png", folder / "out.png", "--show", folder / "hopper.png")
    assert mien(*command, "--owner-agrees", "Kim") == 0
    assert judge.likeness(read_still(folder / "out.png").image, judge.embedding(astronaut())) < SAME_PERSON


def test_a_picture_without_a_face_is_written_with_a_note(folder, capsys):
    Pillow.fromarray(np.full((120, 200, 3), 130, np.uint8)).save(folder / "wall.png")
    assert mien("treat", folder / "wall.png", folder / "out.png", "--mosaic") == 0
    assert "no face was found in the picture" in capsys.readouterr().err


def test_a_turned_phone_photo_is_seen_upright(folder, capsys):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(np.rot90(astronaut())).save(folder / "phone.jpg", exif=exif, quality=95)
    assert mien("treat", folder / "phone.jpg", folder / "out.png", "--mosaic") == 0
    assert "mosaic 1" in capsys.readouterr().out


# --- videos ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec", [("--mosaic",), ("--swap-to", "mask:marble"), ("--swap-to", "mask:painted", "--mosaic")]
)
def test_every_frame_of_a_video_is_treated_and_labelled_and_its_sound_kept(folder, spec, capsys):
    source = Clip(size_wh=SIZE, pts=range(25), picture=scene, sound="aac").write(folder / "in.mp4")
    assert mien("treat", source, folder / "out.mp4", *spec) == 0
    frames = [frame.to_ndarray(format="rgb24") for frame in decode(folder / "out.mp4")]
    assert len(frames) == 25
    assert all(label_is_on(frame) for frame in frames)
    assert [data for data, _ in packets(folder / "out.mp4", "audio")] == [data for data, _ in packets(source, "audio")]
    assert "25 frames of 640x360" in capsys.readouterr().out


@pytest.mark.parametrize("rotation", [90, 270])
def test_a_turned_video_is_treated_upright(folder, rotation, capsys):
    def lying(size_wh: tuple[int, int], index: int) -> Image:
        return np.ascontiguousarray(np.rot90(scene(size_wh[::-1], index), -rotation // 90))

    source = Clip(size_wh=(360, 640), pts=range(10), picture=lying, rotation=rotation).write(folder / "in.mp4")
    assert mien("treat", source, folder / "out.mp4", "--mosaic") == 0
    output = capsys.readouterr().out
    assert "10 frames of 640x360" in output
    assert "mosaic 10" in output


def test_a_real_clip_of_a_stranger_is_hidden_in_every_frame(folder, shared_media, capsys):
    source = shared_media / "video_talking" / "th_humo_woman_lab.mp4"
    assert mien("treat", source, folder / "out.mp4", "--mosaic") == 0
    assert "97 frames of 1280x720" in capsys.readouterr().out
    assert len(decode(folder / "out.mp4")) == 97


def test_nobody_is_bare_after_a_film_turns_and_no_frame_waits_beside_one_of_another_size(folder, judge, capsys):
    landscape, portrait = Film(size_wh=SIZE, pts=range(8)), Film(size_wh=(360, 640), pts=range(8, 16))
    landscape.picture = scene
    portrait.picture = lambda _size_wh, index: np.ascontiguousarray(scene((1138, 640), index + 8)[:, 389:749])
    parts = [mux(folder / f"{n}.ts", film) for n, film in enumerate((landscape, portrait))]
    (folder / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    assert mien("treat", folder / "in.ts", folder / "out.mp4", "--mosaic") == 0
    told = capsys.readouterr()
    assert "16 frames of 640x360" in told.out
    assert "note: the picture changes its size or shape 1 time(s), first to 360x640" in told.err
    frames = [frame.to_ndarray(format="rgb24") for frame in decode(folder / "out.mp4")]
    bare = judge.embedding(astronaut())
    must_hide(hidden=[n for n, frame in enumerate(frames) if judge.likeness(frame, bare) >= SAME_PERSON] == [])
    assert all(frame[:, :200].max() < 24 for frame in frames[8:]), "bars beside the portrait"


def test_whoever_is_never_recognised_is_named_at_the_end_with_what_would_help(folder, capsys):
    (folder / "hopper.png").write_bytes(as_png((hopper() * 0.15).astype(np.uint8)))
    source = Clip(size_wh=SIZE, pts=range(8), picture=scene).write(folder / "in.mp4")
    command = ("treat", source, folder / "out.mp4", "--show", folder / "hopper.png", "--show", folder / "astronaut.png")
    assert mien(*command, "--owner-agrees", "Kim") == 0
    told = capsys.readouterr().err
    assert "note: hopper was never surely recognised" in told
    assert "hopper.png: The face is too dark" in told
    assert "Teeth" not in told


def test_somebody_who_was_recognised_is_not_named(folder, capsys):
    command = ("treat", folder / "astronaut.png", folder / "out.png", "--show", folder / "astronaut.png")
    assert mien(*command, "--owner-agrees", "Kim") == 0
    assert "never" not in capsys.readouterr().err


def test_a_heic_photo_is_treated_and_serves_as_a_face(folder, judge, capsys):
    stored = np.ascontiguousarray(np.rot90(astronaut(), -1))
    (folder / "IMG_1.HEIC").write_bytes(heic(stored, tile=256, rotation=1))
    assert mien("treat", folder / "IMG_1.HEIC", folder / "out.png", "--mosaic") == 0
    assert "mosaic 1" in capsys.readouterr().out
    assert judge.likeness(read_still(folder / "out.png").image, judge.embedding(astronaut())) < SAME_PERSON
    command = ("treat", folder / "astronaut.png", folder / "shown.png", "--show", folder / "IMG_1.HEIC")
    assert mien(*command, "--owner-agrees", "Kim") == 0
    assert np.array_equal(read_still(folder / "shown.png").image[FACE], astronaut()[FACE])


def test_a_picture_larger_than_allowed_is_refused_by_its_header_and_the_option_is_named(folder, capsys):
    Pillow.fromarray(np.full((1100, 1000, 3), 130, np.uint8)).save(folder / "wall.png")
    assert mien("treat", folder / "wall.png", folder / "out.png", "--mosaic", "--max-megapixels", "1") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error[media.too_large]: ")
    assert line.endswith("--max-megapixels lets larger ones in")
    assert mien("treat", folder / "wall.png", folder / "out.png", "--mosaic", "--max-megapixels", "1.2") == 0


# --- refusals ----------------------------------------------------------------------------------------------


def test_without_a_declaration_no_photo_is_used(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert mien("treat", folder / "astronaut.png", folder / "out.png", "--swap-to", folder / "hopper.png") == 2
    error = capsys.readouterr().err
    assert error.startswith("error[consent.missing]: hopper.png")
    assert "--owner-agrees" in error
    assert not (folder / "out.png").exists()
    assert declared(folder) == []


def test_where_the_declaration_cannot_be_recorded_nothing_is_treated(folder, capsys):
    (folder / "data").write_text("in the way")
    command = ("treat", folder / "astronaut.png", folder / "out.png", "--swap-to", folder / "hopper.png")
    assert mien(*command, "--owner-agrees", "Kim") == 2
    assert "error[output]: the declaration cannot be recorded" in capsys.readouterr().err
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(("missing.mp4", "out.mp4", "--mosaic"), "media.unreadable", id="no such file"),
        pytest.param(("letter.txt", "out.mp4", "--mosaic"), "media.unreadable", id="no media"),
        pytest.param(("letter.txt", "out.jpg", "--mosaic"), "media.unreadable", id="no media, to picture"),
        pytest.param(("logo.svg", "out.jpg", "--mosaic"), "media.unreadable", id="svg"),
        pytest.param((".", "out.mp4", "--mosaic"), "media.unreadable", id="folder"),
        pytest.param(("a\nb.mp4", "out.mp4", "--mosaic"), "media.unreadable", id="a name of two lines"),
        pytest.param(("astronaut.png", "data", "--mosaic"), "output", id="no suffix"),
        pytest.param(("astronaut.png", "nowhere/out.png", "--mosaic"), "output", id="no such folder"),
        pytest.param(("astronaut.png", "letter.txt/out.png", "--mosaic"), "output", id="a file as folder"),
        pytest.param(("astronaut.png", "out.mp4", "--mosaic"), "output", id="picture to video"),
        pytest.param(("astronaut.png", "astronaut.png", "--mosaic", "--force"), "output", id="over itself"),
        pytest.param(("astronaut.png", "hopper.png", "--mosaic"), "output", id="target exists"),
        pytest.param(("astronaut.png", "out.png"), "policy", id="no wish"),
        pytest.param(("astronaut.png", "out.png", "--policy", "none.json"), "policy.format", id="no policy file"),
        pytest.param(("astronaut.png", "out.png", "--policy", "letter.txt"), "policy.format", id="a letter as policy"),
        pytest.param(("astronaut.png", "out.png", "--policy", "p.json", "--mosaic"), "policy", id="policy and option"),
        pytest.param(("astronaut.png", "out.png", "--mosaic", "--person", "a=b"), "policy", id="a person, no policy"),
        pytest.param(("astronaut.png", "out.png", "--swap-to", "mask:dragon"), "persona.unknown", id="no mask"),
        pytest.param(
            ("astronaut.png", "out.png", "--swap-to", "wall.png", "--owner-agrees", "K"), "photo.no_face", id="no face"
        ),
    ],
)
def test_each_refusal_is_one_line_with_its_code_and_leaves_no_file(folder, capsys, monkeypatch, arguments, code):
    monkeypatch.chdir(folder)
    (folder / "letter.txt").write_text("dear all" * 99)
    (folder / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    Pillow.fromarray(np.full((120, 200, 3), 130, np.uint8)).save(folder / "wall.png")
    before = sorted(path.name for path in folder.glob("*.*"))
    assert mien("treat", *arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.startswith(f"error[{code}]: ") for line in lines] == [True]
    assert sorted(path.name for path in folder.glob("*.*")) == before


@pytest.mark.parametrize(("answers", "code", "uses"), [("y\nKim\n", 0, ["swap"]), ("n\n", 2, [])])
def test_at_a_terminal_the_declaration_is_asked_for_in_both_languages(folder, answers, code, uses):
    script = "from mien.cli import main; main()"
    command = [sys.executable, "-c", script, "treat", "astronaut.png", "out.png", "--swap-to", "hopper.png"]
    terminal, stdin = pty.openpty()
    try:
        process = subprocess.Popen(command, cwd=folder, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.write(terminal, answers.encode())
        _, errors = process.communicate(timeout=120)
    finally:
        os.close(stdin)
        os.close(terminal)
    assert process.returncode == code, errors.decode()
    assert all(statement in errors.decode() for statement in STATEMENTS.values())
    assert "hopper.png: to be swapped in" in errors.decode()
    assert [line["use"] for line in declared(folder)] == uses
    assert (folder / "out.png").exists() == (code == 0)
