"""What options and policy documents ask of a file, and what contradicts itself."""

import json
from types import MappingProxyType

import numpy as np
import pytest

from mien.app.face_photos import BuiltInMask, FacePhoto, Person
from mien.app.files.options import file_spec, read_options, read_policy
from mien.app.files.spec import FileSpec
from mien.app.policy.document import PolicyDocument
from mien.errors import (
    MediaError,
    PersonaError,
    PolicyError,
    PolicyFormatError,
    PolicyTooLongError,
    TooManyPhotosError,
    UnknownPersonError,
)
from support.photos import as_png


def photo(name: str = "a.png", shade: int = 0) -> FacePhoto:
    return FacePhoto.from_bytes(as_png(np.full((8, 8, 3), shade, np.uint8)), name=name)


def person(name: str, shade: int) -> Person:
    return Person(name, (photo(f"{name}.png", shade),))


MASK = BuiltInMask("volto")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param({"mosaic": True}, ["everyone mosaic"], id="mosaic"),
        pytest.param({"show": (person("ann", 1),)}, ["ann show", "everyone mosaic"], id="show"),
        pytest.param({"swap_to": MASK}, ["everyone swap"], id="swap"),
        pytest.param({"swap_to": MASK, "mosaic": True}, ["primary swap", "everyone mosaic"], id="swap and mosaic"),
        pytest.param({"swap_to": MASK, "show": (person("ann", 1),)}, ["ann show", "everyone swap"], id="show and swap"),
        pytest.param(
            {"swap_to": MASK, "show": (person("ann", 1),), "mosaic": True},
            ["ann show", "primary swap", "everyone mosaic"],
            id="show, swap and mosaic",
        ),
        pytest.param(
            {"swap_to": MASK, "swap_only": (person("ann", 1),)}, ["ann swap", "everyone mosaic"], id="swap only"
        ),
        pytest.param(
            {"swap_to": MASK, "swap_only": (person("ann", 1),), "mosaic": True},
            ["ann swap", "everyone mosaic"],
            id="swap only and mosaic",
        ),
    ],
)
def test_options_make_a_policy(options, says):
    policy = file_spec(**options).policy
    assert [f"{getattr(rule.subject, 'id', rule.subject.kind)} {rule.treatment.kind}" for rule in policy.rules] == says


def test_the_look_of_mosaics_is_that_of_all_and_of_swaps_that_cannot_be_drawn():
    policy = file_spec(swap_to=MASK, shape=0.4, mosaic_style="solid", mosaic_shape="head").policy
    assert (policy.mosaic.style, policy.mosaic.shape, policy.face_shape) == ("solid", "head", 0.4)


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
        file_spec(**spec)


def test_an_unknown_mask_is_answered_with_the_known_ones():
    with pytest.raises(PersonaError, match="mask:volto, mask:marble, mask:painted"):
        read_options(swap_to=["mask:dragon"])


def test_a_mask_asks_for_nobodys_consent():
    assert file_spec(swap_to=MASK, mosaic=True).references == ()


def test_every_photo_is_listed_once_for_each_use():
    me, ann = photo("me.png", 9), person("ann", 1)
    references = file_spec(swap_to=me, show=(Person("ann", ann.photos * 2),)).references
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
    spec = read_options(show=[folder])
    assert [(p.name, [f.name for f in p.photos]) for p in spec.people] == [("bob", ["a.PNG", "b.png"])]


def test_photos_and_folders_of_a_face_to_swap_in_are_one_person(tmp_path):
    folder = tmp_path / "me"
    folder.mkdir()
    for shade, path in enumerate((folder / "a.png", folder / "b.png", tmp_path / "c.png")):
        path.write_bytes(as_png(np.full((8, 8, 3), shade, np.uint8)))
    spec = read_options(swap_to=[str(folder), str(tmp_path / "c.png")])
    assert [photo.name for photo in spec.swap_photos] == ["a.png", "b.png", "c.png"]
    assert [(reference.photo.name, reference.use) for reference in spec.references] == [
        ("a.png", "swap"),
        ("b.png", "swap"),
        ("c.png", "swap"),
    ]


def test_more_photos_than_are_combined_are_refused(tmp_path):
    with pytest.raises(TooManyPhotosError, match="at most 5"):
        file_spec(swap_to=Person("me", tuple(photo(shade=shade) for shade in range(6))))
    for shade in range(6):
        (tmp_path / f"{shade}.png").write_bytes(as_png(np.full((8, 8, 3), shade, np.uint8)))
    with pytest.raises(TooManyPhotosError, match="at most 5"):
        read_options(swap_to=[str(tmp_path)])


def test_a_mask_is_combined_with_nothing():
    with pytest.raises(PolicyError, match="of its own"):
        read_options(swap_to=["mask:volto", "me.jpg"])


def test_an_empty_folder_recognises_nobody(tmp_path):
    with pytest.raises(PolicyError, match="no picture"):
        read_options(show=[tmp_path])


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(MediaError, match=r"nobody\.jpg"):
        read_options(swap_to=[str(tmp_path / "nobody.jpg")])


def test_photos_are_equal_when_their_files_are():
    assert photo("a.png", 3) == photo("b.png", 3)
    assert photo("a.png", 3) != photo("a.png", 4)


class TestPolicyFiles:
    look = MappingProxyType({"mosaic_style": "blur", "mosaic_shape": "head"})

    @pytest.fixture
    def files(self, tmp_path):
        for shade, name in enumerate(("ann.png", "bob.png", "me.png", "me2.png")):
            (tmp_path / name).write_bytes(as_png(np.full((8, 8, 3), shade, np.uint8)))
        return tmp_path

    def read(self, folder, *rules, **more):
        document = folder / "policy.json"
        document.write_text(json.dumps({"version": 1, "rules": rules}))
        return read_policy(document, **(self.look | more))

    def test_a_document_comes_with_the_photos_of_those_it_names(self, files):
        spec = self.read(
            files,
            {"subject": {"kind": "person", "id": "Ann Lee"}, "treatment": {"kind": "show"}},
            {"subject": {"kind": "person", "id": "bob"}, "treatment": {"kind": "mosaic"}},
            {"subject": {"kind": "everyone"}, "treatment": {"kind": "swap", "persona": "reference:me"}},
            people=[f"Ann Lee={files / 'ann.png'}", f"bob={files / 'bob.png'}"],
            references=[f"me={files / 'me.png'}", f"me={files / 'me2.png'}"],
        )
        assert [(reference.photo.name, reference.use) for reference in spec.references] == [
            ("me.png", "swap"),
            ("me2.png", "swap"),
            ("ann.png", "show"),
            ("bob.png", "hide"),
        ]
        assert (spec.policy.mosaic.style, spec.policy.mosaic.shape) == ("blur", "head")
        assert [person.name for person in spec.recognised] == ["Ann Lee", "bob"]

    def test_nobody_is_recognised_for_a_rule_that_changes_nothing(self, files):
        bob = {"subject": {"kind": "person", "id": "bob"}, "treatment": {"kind": "mosaic"}}
        spec = self.read(files, bob, people=[f"bob={files / 'bob.png'}"])
        assert spec.recognised == ()

    @pytest.mark.parametrize(
        ("treatment", "more", "error"),
        [
            pytest.param({"kind": "show"}, {"people": []}, UnknownPersonError, id="a person without photos"),
            pytest.param({"kind": "show"}, {"people": ["ann"]}, PolicyError, id="a person without a path"),
            pytest.param({"kind": "show"}, {"people": ["ann=", "=x"]}, PolicyError, id="half an option"),
            pytest.param({"kind": "show"}, {"people": ["ann={}", "bob={}"]}, PolicyError, id="a person of no rule"),
            pytest.param({"kind": "show"}, {"people": ["ann={}", "ann={}"]}, PolicyError, id="a person twice"),
            pytest.param({"kind": "show"}, {"references": ["me={}"]}, PolicyError, id="a reference of no rule"),
            pytest.param(
                {"kind": "swap", "persona": "reference:me"}, {}, PersonaError, id="a reference without photos"
            ),
            pytest.param({"kind": "swap", "persona": "reference"}, {}, PersonaError, id="a reference that is withheld"),
            pytest.param({"kind": "swap", "persona": "mask:dragon"}, {}, PersonaError, id="no such mask"),
            pytest.param({"kind": "paint"}, {}, PolicyFormatError, id="no such treatment"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, files, treatment, more, error):
        more = {name: [one.format(files / "ann.png") for one in given] for name, given in more.items()}
        rule = {"subject": {"kind": "person", "id": "ann"}, "treatment": treatment}
        with pytest.raises(error) as refused:
            self.read(files, rule, **{"people": [f"ann={files / 'ann.png'}"], **more})
        assert type(refused.value) is error

    def test_a_file_that_is_no_policy_is_refused(self, tmp_path):
        for content, error in ((b"{", PolicyFormatError), (b" " * (2**20 + 1), PolicyTooLongError)):
            (tmp_path / "policy.json").write_bytes(content)
            with pytest.raises(error):
                read_policy(tmp_path / "policy.json", **self.look)
        with pytest.raises(PolicyFormatError, match="cannot read"):
            read_policy(tmp_path / "none.json", **self.look)


def test_one_photo_may_be_of_two_people_who_are_treated_alike():
    same = (person("ann", 1), person("eve", 1))
    policy = file_spec(show=same).policy
    assert FileSpec(policy, same).recognised == same


def test_a_name_that_cannot_be_printed_is_an_id_all_the_same(tmp_path):
    for name in ("a\nb.png", "a\tb.png"):
        (tmp_path / name).write_bytes(as_png(np.zeros((8, 8, 3), np.uint8)))
    spec = read_options(show=[tmp_path / "a\nb.png"])
    assert PolicyDocument.from_json(spec.policy.to_json()).people.keys() == {"a_b"}
    with pytest.raises(PolicyError, match="same name"):
        read_options(show=[tmp_path / "a\nb.png", tmp_path / "a\tb.png"])
