"""What the coach says of a good photo made worse by code."""

import cv2
import numpy as np
import pytest

from mien.app.photos.advice import ADVICE
from mien.errors import ShapeError
from mien.vision.mesh.topology import MOUTH, lid_pairs
from mien.vision.photos.quality import LIMITS, PhotoAssessor, PhotoIssue
from mien.vision.swap.occlusion import FINE_SIDE
from support.drawn_heads import drawn_head, drawn_mesh

MESH = drawn_mesh()
GRAIN = np.random.default_rng(1).normal(0, 6, (480, 640, 1))  # a drawn face alone has no pores
PHOTO = np.clip(drawn_head(1, MESH) + GRAIN, 0, 255).astype(np.uint8)
BARE = np.ones((1, 1, FINE_SIDE, FINE_SIDE), np.float32)


def seeing(face):
    """Return a coach whose network says how much of each texel is face."""
    return PhotoAssessor(lambda _batch: {"face": face})


def hidden(rows, columns):
    face = BARE.copy()
    face[0, 0, rows, columns] = 0
    return face


def codes(photo, mesh=MESH, *, face=BARE, **more):
    return {finding.code for finding in seeing(face)(photo, mesh, **more)}


def by_stops(stops):
    linear = (PHOTO.astype(np.float32) / 255) ** 2.2 * np.asarray(2.0**stops, np.float32)
    return np.asarray(255 * np.clip(linear, 0, 1) ** (1 / 2.2), np.uint8)


def across():
    """Return 0 left of the face and 1 right of it, for every pixel."""
    left, right = MESH[234, 0], MESH[454, 0]
    return np.clip((np.arange(PHOTO.shape[1]) - left) / (right - left), 0, 1)[None, :, None]


def test_of_a_good_photo_there_is_nothing_to_say():
    assert codes(PHOTO) == set()


@pytest.mark.parametrize(
    ("fault", "photo"),
    [
        pytest.param("blurred", cv2.GaussianBlur(PHOTO, (0, 0), 6), id="blurred"),
        pytest.param("too_dark", by_stops(-5), id="dark"),
        pytest.param("too_bright", by_stops(3), id="bright"),
        pytest.param("light_uneven", by_stops(-8 * across()), id="light from one side"),
        pytest.param("cut_off", PHOTO[int(MESH[:, 1].min()) + 40 :], id="cut off at the top"),
    ],
)
def test_a_photo_made_worse_is_told_by_name(fault, photo):
    mesh = MESH.copy()
    mesh[:, 1] -= PHOTO.shape[0] - photo.shape[0]  # where rows are gone, they are gone at the top
    assert fault in codes(photo, mesh)


@pytest.mark.parametrize(
    ("fault", "mesh"),
    [
        pytest.param("face_turned", drawn_mesh(yaw=40), id="turned"),
        pytest.param("face_small", drawn_mesh(scale=0.2), id="small"),
    ],
)
def test_a_face_in_a_bad_place_is_told_by_name(fault, mesh):
    assert fault in codes(drawn_head(1, mesh), mesh)


def test_a_tilted_head_is_told_by_name():
    turn = cv2.getRotationMatrix2D((PHOTO.shape[1] / 2, PHOTO.shape[0] / 2), 70, 1)
    mesh = MESH.copy()
    mesh[:, :2] = mesh[:, :2] @ turn[:, :2].T + turn[:, 2]
    tilted = np.asarray(cv2.warpAffine(PHOTO, turn, PHOTO.shape[1::-1]), np.uint8)
    assert "face_tilted" in codes(tilted, mesh)


@pytest.mark.parametrize(
    ("fault", "face"),
    [
        pytest.param("covered", hidden(slice(75, 128), slice(None)), id="mouth and chin"),
        pytest.param("fringe", hidden(slice(0, 42), slice(None)), id="forehead"),
        pytest.param("glasses", hidden(slice(48, 66), slice(30, 98)), id="eyes"),
    ],
)
def test_what_the_network_sees_in_front_is_told_by_where_it_is(fault, face):
    assert codes(PHOTO, face=face) == {fault}


def test_closed_eyes_an_open_mouth_and_a_smile_are_read_from_the_mesh():
    shut, agape, smiling = MESH.copy(), MESH.copy(), MESH.copy()
    shut[[160, 159, 158], 1] = shut[[144, 145, 153], 1]  # the lids of one eye: a wink spoils a photo, too
    agape[14, 1] = agape[13, 1] + 0.3 * np.linalg.norm(MESH[263] - MESH[33])
    smiling[[61, 291], 1] -= 0.15 * np.linalg.norm(MESH[263] - MESH[33])
    assert "eyes_closed" in codes(PHOTO, shut)
    assert "mouth_open" in codes(PHOTO, agape)
    assert "smile" in codes(PHOTO, smiling)


@pytest.mark.parametrize(
    ("colour", "said"), [((235, 228, 210), True), ((60, 20, 20), False), ((225, 120, 120), False)], ids=str
)
def test_teeth_are_light_and_not_red(colour, said):
    """Neither a dark mouth nor a tongue is taken for them."""
    agape, photo = MESH.copy(), PHOTO.copy()
    _upper, lower = lid_pairs(MOUTH)
    agape[lower, 1] += 0.1 * np.linalg.norm(MESH[263] - MESH[33])
    cv2.fillPoly(photo, [np.round(agape[MOUTH, :2]).astype(np.int32)], colour)
    assert ("teeth" in codes(photo, agape)) is said
    assert "teeth" not in codes(PHOTO)


@pytest.mark.parametrize("beyond", [(-390, 0), (390, 0), (0, 300), (0, -340)])
def test_a_mouth_outside_the_picture_does_no_harm(beyond):
    mesh = MESH + np.array([*beyond, 0], np.float32)
    assert seeing(BARE).measure(PHOTO, mesh)[PhotoIssue.TEETH] == 0


def test_without_a_face_or_with_two_nothing_else_is_judged():
    assert codes(np.zeros_like(PHOTO), None) == {"no_face"}
    assert codes(by_stops(-5), rival=0.8) == {"several_faces"}
    assert codes(PHOTO, score=0.2) == {"no_face"}
    assert "several_faces" not in codes(PHOTO, rival=0.3)


def test_what_cannot_serve_is_told_before_what_could_be_better():
    found = seeing(hidden(slice(0, 42), slice(None)))(drawn_head(1, drawn_mesh(scale=0.1)), drawn_mesh(scale=0.1))
    severities = [finding.severity for finding in found]
    assert found[0].code == "face_small"
    assert severities == sorted(severities, key=lambda severity: severity != "refuse")
    assert {"refuse", "warn"} == set(severities)


def test_a_finding_carries_what_was_measured_and_the_limit_it_passed():
    (finding,) = (found for found in seeing(BARE)(by_stops(-5), MESH) if found.code == "too_dark")
    assert (finding.limit, finding.severity) == (LIMITS[PhotoIssue.TOO_DARK].warn, "warn")
    assert finding.value < finding.limit


def test_a_malformed_mesh_is_refused():
    with pytest.raises(ShapeError, match="mesh"):
        seeing(BARE)(PHOTO, MESH[:100])


def test_there_is_advice_for_every_fault_in_both_languages():
    assert set(ADVICE) == set(PhotoIssue)
    assert all(texts["en"] and any("가" <= letter <= "힣" for letter in texts["ko"]) for texts in ADVICE.values())
