"""The benchmarks' measure of a face's quality, on photos in the public domain."""

import numpy as np
import pytest

from benchmarks.vision.swap import naturalness
from mien.vision.analysis.detector import CenterFaceDetector
from mien.vision.analysis.landmarks import MeshLandmarker, roi_of_detection
from research.naturalness import damage
from support.photos import astronaut, hopper

SEEN = ("blur", "enlarged", "noise", "JPEG", "waxy")


@pytest.fixture(scope="module")
def faces(runtime):
    """Two real people, 110 px wide, each with a mesh."""
    laid = {}
    for photo in (astronaut, hopper):
        image = photo()
        (seen,) = CenterFaceDetector(runtime.open("centerface"))(image, long_side=640)
        mesh, _ = MeshLandmarker(runtime.open("face-mesh")).settle(image, roi_of_detection(seen), rounds=3)
        laid[photo.__name__] = damage.resized(image, mesh, min(110, float(np.ptp(mesh[:, 0]))))
    return laid


@pytest.mark.models
@pytest.mark.parametrize("kind", SEEN)
@pytest.mark.parametrize("who", ["astronaut", "hopper"])
def test_the_more_a_face_is_damaged_the_worse_it_is(faces, who, kind):
    image, mesh = faces[who]
    steps = [damage.DAMAGE[kind](image, mesh, step, np.random.default_rng(1)) for step in (3, 4, 5)]
    left = [naturalness.quality(image, made, mesh) for made in steps]
    assert 0.95 > left[0] > left[1] > left[2]


@pytest.mark.models
@pytest.mark.parametrize("kind", ["mirrored", "darker", "lighter"])
@pytest.mark.parametrize("who", ["astronaut", "hopper"])
def test_what_does_no_harm_leaves_the_quality_nearly_as_it_is(faces, who, kind):
    image, mesh = faces[who]
    natural = naturalness.Naturalness.read()
    changed = damage.HARMLESS[kind](image, mesh)
    assert natural.distance(*changed) == pytest.approx(natural.distance(image, mesh), rel=0.12)


@pytest.mark.models
def test_people_it_was_not_fitted_to_are_near_to_portraits(faces):
    natural = naturalness.Naturalness.read()
    assert max(natural.distance(*face) for face in faces.values()) < 2


@pytest.mark.models
def test_a_face_painted_in_one_colour_is_the_worst(faces):
    image, mesh = faces["hopper"]
    assert naturalness.quality(image, np.full_like(image, 120), mesh) < 0.2


@pytest.mark.parametrize(
    ("draw", "shape"),
    [
        pytest.param(np.random.Generator.normal, 2.0, id="Gaussian"),
        pytest.param(np.random.Generator.laplace, 1.0, id="Laplace"),
    ],
)
def test_the_shape_and_both_spreads_of_a_distribution_are_found(draw, shape):
    dice = np.random.default_rng(3)
    sizes = np.abs(draw(dice, size=300_000))
    negative = dice.random(sizes.size) < 1 / 3  # each side weighs as much as it is wide
    found, left, right = naturalness.spread_of(np.where(negative, -0.5 * sizes, sizes).astype(np.float32))
    assert found == pytest.approx(shape, rel=0.03)
    assert left / right == pytest.approx(0.5, rel=0.02)


@pytest.mark.models
def test_a_fit_to_few_faces_knows_their_width(faces):
    image, mesh = faces["hopper"]
    widths = np.linspace(60, float(np.ptp(mesh[:, 0])), 12)
    natural = naturalness.Naturalness.fit([damage.resized(image, mesh, width) for width in widths])
    assert natural.line.shape == (2, 36)
    assert natural.distance(image, mesh) < 1.5
    assert natural.distance(damage.blurred(image, mesh, 3, np.random.default_rng(1)), mesh) > 2
