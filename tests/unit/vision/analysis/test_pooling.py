"""Pooled evidence: where noise hides in each sample who it is, and the mean of several tells."""

import numpy as np
import pytest

from mien.vision.analysis.clearance import Clearance, ClearanceRules
from mien.vision.analysis.embedder import Gallery
from mien.vision.analysis.pooling import Pool, Sample
from mien.vision.types import FaceQuality

RULES = ClearanceRules()
DIMENSIONS = 64
FAIR, LOPSIDED, GOOD, POOR = FaceQuality.FAIR, FaceQuality.LOPSIDED, FaceQuality.GOOD, FaceQuality.POOR


def unit(vector):
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def axis(n):
    return np.eye(DIMENSIONS, dtype=np.float32)[n]


def at_cosine(cosine, n):
    """Return a unit vector of this cosine to Ann's, else along one axis."""
    return unit(cosine * axis(0) + np.sqrt(1 - cosine**2) * axis(n))


GALLERY = Gallery({"ann": [axis(0)], "bob": [at_cosine(0.85, 1)]})
WANTED = RULES.wanted(2)


def sample(vector, quality=FAIR):
    match = GALLERY.match(vector)
    assert match is not None
    return Sample(vector, quality, match)


def cleared_by(vectors, quality=FAIR):
    pool = Pool()
    return [pool.add(sample(vector, quality), RULES, 2, GALLERY.match) for vector in vectors]


def noisy(cosine, count=4):
    """Return samples of Ann, each as alike, whose noise is different every time."""
    return [at_cosine(cosine, 2 + n) for n in range(count)]


def test_samples_of_which_none_is_alike_enough_clear_by_their_mean():
    low = WANTED - 0.012
    assert cleared_by(noisy(low)) == [False, False, False, True]


def test_the_same_sample_again_and_again_clears_nobody_it_did_not_clear():
    assert not any(cleared_by([at_cosine(WANTED - 0.012, 2)] * 20))


def test_the_mean_must_be_more_alike_than_samples_must():
    almost = WANTED + RULES.pooled - 0.001
    assert not any(cleared_by([at_cosine(almost, 2)] * 20))
    assert any(cleared_by([at_cosine(almost + 0.002, 2)] * 20))


def test_lopsided_samples_must_be_more_alike_still():
    enough = WANTED + RULES.pooled + 0.002
    assert any(cleared_by([at_cosine(enough, 2)] * 4))
    assert not any(cleared_by([at_cosine(enough, 2)] * 4, LOPSIDED))


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(sample(at_cosine(WANTED - 0.03, 9)), id="not alike"),
        pytest.param(sample(at_cosine(0.85, 1)), id="bob"),
        pytest.param(sample(unit(axis(0) + at_cosine(0.85, 1))), id="as much like bob"),
        pytest.param(sample(axis(0), POOR), id="a poor one"),
    ],
)
def test_one_that_disagrees_takes_all_before_it_away(odd):
    pool = Pool()
    for vector in noisy(WANTED, 3):
        pool.add(sample(vector), RULES, 2, GALLERY.match)
    assert pool.count == 3
    assert not pool.add(odd, RULES, 2, GALLERY.match)
    assert (pool.count, pool.identity) == (0, None)


def test_a_small_face_is_cleared_by_the_pool_and_every_doubt_ends_it():
    def shown(count):
        clearance = Clearance()
        for n, vector in enumerate(noisy(WANTED, count)):
            clearance.weigh(
                GALLERY.match(vector), FAIR, 0.2 * n, RULES, enrolled=2, embedding=vector, match_of=GALLERY.match
            )
        return clearance

    assert shown(3).identity is None
    clearance = shown(4)
    assert (clearance.identity, clearance.doubt) == ("ann", None)
    clearance.revoke()
    assert clearance.identity is None
    vector = axis(0)
    clearance.weigh(GALLERY.match(vector), FAIR, 2.0, RULES, enrolled=2, embedding=vector, match_of=GALLERY.match)
    assert clearance.identity is None, "what was pooled before the doubt does not count"


def test_small_samples_one_by_one_clear_nobody():
    clearance = Clearance()
    for n in range(10):
        clearance.weigh(GALLERY.match(axis(0)), FAIR, 0.2 * n, RULES, enrolled=2)
    assert clearance.identity is None


def test_who_is_nobody_is_looked_at_less_often_after_a_while():
    clearance, stranger = Clearance(), at_cosine(0.85, 5)
    for n in range(RULES.patient_after):
        clearance.weigh(GALLERY.match(stranger), GOOD, 0.2 * n, RULES, enrolled=2)
    last = 0.2 * (RULES.patient_after - 1)
    assert not clearance.wants_sample(GOOD, last + RULES.patient_spacing_s - 0.01, RULES)
    assert clearance.wants_sample(GOOD, last + RULES.patient_spacing_s + 0.01, RULES)
