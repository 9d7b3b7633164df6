"""What may be wished for, and what contradicts itself."""

import numpy as np
import pytest

from mien.app.specs import BuiltInMask, FacePhoto, Person, SwapScope, TreatmentSpec, read_spec
from mien.errors import MediaError, PersonaError, PolicyError, TooManyPhotosError
from support.photos import as_png


def photo(name: str = "a.png", shade: int = 0) -> FacePhoto:
    return FacePhoto.from_bytes(as_png(np.full((8, 8, 3), shade, np.uint8)), name=name)


def person(name: str, shade: int) -> Person:
    return Person(name, (photo(f"{name}.png", shade),))


MASK = BuiltInMask("volto")


@pytest.mark.parametrize(
    ("spec", "scope"),
    [
        pytest.param({"mosaic": True}, SwapScope.NOBODY, id="mosaic"),
        pytest.param({"show": (person("ann", 1),)}, SwapScope.NOBODY, id="show"),
        pytest.param({"swap_to": MASK}, SwapScope.EVERYBODY, id="swap"),
        pytest.param({"swap_to": MASK, "mosaic": True}, SwapScope.MOST_PROMINENT, id="swap and mosaic"),
        pytest.param({"swap_to": MASK, "show": (person("ann", 1),)}, SwapScope.EVERYBODY, id="show and swap"),
        pytest.param({"swap_to": MASK, "swap_only": (person("ann", 1),)}, SwapScope.RECOGNISED, id="swap only"),
        pytest.param(
            {"swap_to": MASK, "swap_only": (person("ann", 1),), "mosaic": True}, SwapScope.RECOGNISED, id="all three"
        ),
    ],
)
def test_the_options_say_whose_face_is_swapped(spec, scope):
    assert TreatmentSpec(**spec).swap_scope is scope


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        pytest.param({}, "nothing to do", id="nothing"),
        pytest.param({"swap_only": (person("ann", 1),)}, "into what", id="swap-only without persona"),
        pytest.param({"mosaic": True, "shape": 0.5}, "no swap-to", id="shape without swap"),
        pytest.param({"swap_to": MASK, "shape": 1.5}, "between 0 and 1", id="shape too large"),
        pytest.param({"mosaic": True, "delay_frames": -1}, "0 to 30", id="negative delay"),
        pytest.param({"mosaic": True, "delay_frames": 31}, "0 to 30", id="long delay"),
        pytest.param({"mosaic": True, "label": "fr"}, "en, ko or both", id="label"),
        pytest.param({"mosaic": True, "mosaic_style": "stars"}, "cells, solid, blur", id="no such style"),
        pytest.param({"mosaic": True, "mosaic_shape": "hexagon"}, "box, head", id="no such shape"),
        pytest.param(
            {"swap_to": MASK, "show": (person("ann", 1),), "swap_only": (person("eve", 1),)},
            "both to be shown and to be swapped",
            id="shown and swapped",
        ),
        pytest.param({"show": (person("ann", 1), person("ann", 2))}, "same name", id="same name"),
    ],
)
def test_contradictions_cannot_be_made(spec, why):
    with pytest.raises(PolicyError, match=why):
        TreatmentSpec(**spec)


def test_an_unknown_mask_is_answered_with_the_known_ones():
    with pytest.raises(PersonaError, match="mask:volto, mask:marble, mask:painted"):
        read_spec(swap_to=["mask:dragon"])


def test_a_mask_asks_for_nobodys_consent():
    assert TreatmentSpec(swap_to=MASK, mosaic=True).references == ()


def test_every_photo_is_listed_once_for_each_use():
    me, ann = photo("me.png", 9), person("ann", 1)
    references = TreatmentSpec(swap_to=me, show=(Person("ann", ann.photos * 2),)).references
    assert [(reference.photo.name, reference.use) for reference in references] == [
        ("me.png", "swap"),
        ("ann.png", "show"),
    ]


def test_a_folder_is_one_person_and_other_files_in_it_are_no_photos(tmp_path):
    folder = tmp_path / "bob"
    folder.mkdir()
    (folder / "b.png").write_bytes(as_png(np.zeros((8, 8, 3), np.uint8)))
    (folder / "a.PNG").write_bytes(as_png(np.full((8, 8, 3), 9, np.uint8)))
    (folder / "notes.txt").write_text("hello")
    spec = read_spec(show=[folder])
    assert [(p.name, [f.name for f in p.photos]) for p in spec.show] == [("bob", ["a.PNG", "b.png"])]


def test_photos_and_folders_of_a_face_to_swap_in_are_one_person(tmp_path):
    folder = tmp_path / "me"
    folder.mkdir()
    for shade, path in enumerate((folder / "a.png", folder / "b.png", tmp_path / "c.png")):
        path.write_bytes(as_png(np.full((8, 8, 3), shade, np.uint8)))
    spec = read_spec(swap_to=[str(folder), str(tmp_path / "c.png")])
    assert [photo.name for photo in spec.swap_photos] == ["a.png", "b.png", "c.png"]
    assert [(reference.photo.name, reference.use) for reference in spec.references] == [
        ("a.png", "swap"),
        ("b.png", "swap"),
        ("c.png", "swap"),
    ]


def test_more_photos_than_are_combined_are_refused(tmp_path):
    with pytest.raises(TooManyPhotosError, match="at most 5"):
        TreatmentSpec(swap_to=Person("me", tuple(photo(shade=shade) for shade in range(6))))
    for shade in range(6):
        (tmp_path / f"{shade}.png").write_bytes(as_png(np.full((8, 8, 3), shade, np.uint8)))
    with pytest.raises(TooManyPhotosError, match="at most 5"):
        read_spec(swap_to=[str(tmp_path)])


def test_a_mask_is_combined_with_nothing():
    with pytest.raises(PolicyError, match="of its own"):
        read_spec(swap_to=["mask:volto", "me.jpg"])


def test_an_empty_folder_recognises_nobody(tmp_path):
    with pytest.raises(PolicyError, match="no picture"):
        read_spec(show=[tmp_path])


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(MediaError, match=r"nobody\.jpg"):
        read_spec(swap_to=[str(tmp_path / "nobody.jpg")])


def test_photos_are_equal_when_their_files_are():
    assert photo("a.png", 3) == photo("b.png", 3)
    assert photo("a.png", 3) != photo("a.png", 4)
