import asyncio
import hashlib

import pytest

from mien.app.consent import STATEMENTS
from mien.app.personas.store import PEOPLE_FOR_A_PERSONA, Hold, PersonaStore
from mien.errors import (
    BusyError,
    ConsentError,
    InputError,
    MediaTooLargeError,
    OutputError,
    PersonaError,
    TooManyPhotosError,
    UnknownPersonError,
)
from support.live import ListLedger
from support.pipelines import SmallFactory

PHOTO = b"\xff\xd8 photo"


class Clock:
    at = 0.0

    def __call__(self):
        return self.at


async def read(photos):
    return SmallFactory().read_reference(photos)


def add(references, *photos, by="Kim", language="en", **more):
    adding = references.add(photos or [PHOTO], owner_agrees=True, declared_by=by, language=language, read=read, **more)
    persona_id, _findings = asyncio.run(adding)
    return persona_id


def test_a_reference_nobody_uses_is_forgotten_and_use_keeps_it():
    clock = Clock()
    references = PersonaStore(ListLedger(), ttl_s=10, now=clock)
    used, unused = add(references), add(references)
    clock.at = 8
    references.get(used)
    clock.at = 12
    assert references.get(used)
    with pytest.raises(PersonaError, match="expired"):
        references.get(unused)


def test_above_the_limit_the_one_unused_for_longest_goes():
    references = PersonaStore(ListLedger(), max_count=2)
    first, second = add(references), add(references)
    references.get(first)
    third = add(references)
    assert references.get(first)
    assert references.get(third)
    with pytest.raises(PersonaError):
        references.get(second)


def test_what_is_held_stays_until_it_is_let_go():
    clock = Clock()
    references = PersonaStore(ListLedger(), ttl_s=10, max_count=1, now=clock)
    held = add(references)
    first, second = Hold(references), Hold(references)
    first.move_to([held])
    second.move_to([held])
    clock.at = 100
    references.forget_expired()
    with pytest.raises(BusyError):
        add(references)
    first.move_to(["mask:volto"])
    clock.at = 200
    assert references.get(held)
    second.move_to([])
    clock.at = 300
    with pytest.raises(PersonaError):
        references.get(held)


def test_what_is_forgotten_is_gone_even_where_it_is_held():
    references = PersonaStore(ListLedger())
    hold = Hold(references)
    hold.move_to([persona := add(references)])
    references.forget(persona)
    with pytest.raises(PersonaError):
        references.get(persona)
    with pytest.raises(PersonaError):
        references.forget(persona)
    hold.move_to([])


def test_a_grip_on_what_is_not_there_keeps_what_was_held():
    references = PersonaStore(ListLedger())
    hold = Hold(references)
    hold.move_to([persona := add(references)])
    with pytest.raises(PersonaError):
        hold.move_to([added := add(references), "reference:other"])
    assert hold.held == {persona}
    references._ttl_s = -1
    references.forget_expired()
    assert list(references._kept) == [persona]  # the one that was there is not held either
    assert added not in references._kept


def test_several_are_held_at_once_and_let_go_one_by_one():
    clock = Clock()
    references = PersonaStore(ListLedger(), ttl_s=10, now=clock)
    hold = Hold(references)
    first, second = add(references), add(references)
    hold.move_to([first, "mask:volto", second])
    assert hold.held == {first, second}
    hold.move_to([second])
    clock.at = 100
    references.forget_expired()
    assert list(references._kept) == [second]


async def test_what_has_expired_goes_without_anybody_calling():
    references = PersonaStore(ListLedger(), ttl_s=0.05)
    await references.add([PHOTO], owner_agrees=True, declared_by="Kim", language="en", read=read)
    watching = asyncio.create_task(references.watch_over())
    while references._kept:  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0.01)
    watching.cancel()


def test_the_declaration_says_who_and_for_what_and_names_the_photo_by_its_digest():
    ledger = ListLedger()
    add(PersonaStore(ledger), by="  Kim Minji ")
    (declaration,) = ledger.declarations
    assert (declaration.declared_by, declaration.use, len(declaration.photo_sha256)) == ("Kim Minji", "swap", 64)
    assert declaration.at.tzinfo is not None


def test_one_declaration_covers_all_photos_of_a_face_each_by_its_own_digest():
    ledger = ListLedger()
    add(PersonaStore(ledger), PHOTO, PHOTO + b"2", PHOTO)
    assert [d.photo_sha256 for d in ledger.declarations] == [
        hashlib.sha256(photo).hexdigest() for photo in (PHOTO, PHOTO + b"2")
    ]
    assert len({(d.declared_by, d.at) for d in ledger.declarations}) == 1


async def test_what_was_found_is_told_for_each_photo():
    _id, findings = await PersonaStore(ListLedger()).add(
        [PHOTO, PHOTO], owner_agrees=True, declared_by="Kim", language="en", read=read
    )
    assert [[finding.code for finding in photo] for photo in findings] == [["face_small"], ["face_small"]]


@pytest.mark.parametrize(
    ("photos", "error"),
    [
        pytest.param([PHOTO] * 6, TooManyPhotosError, id="six photos"),
        pytest.param([PHOTO, PHOTO * 9], MediaTooLargeError, id="one too large"),
    ],
)
def test_over_the_limits_nothing_is_read_or_recorded(photos, error):
    ledger = ListLedger()
    with pytest.raises(error):
        add(PersonaStore(ledger, max_bytes=50), *photos)
    assert ledger.declarations == []


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_declaration_is_recorded_in_the_words_that_were_shown(language):
    ledger = ListLedger()
    add(PersonaStore(ledger), language=language)
    assert [declaration.statement for declaration in ledger.declarations] == [STATEMENTS[language]]


def test_a_photo_whose_declaration_cannot_be_kept_is_not_used():
    class FullDisk(ListLedger):
        def record(self, declarations):  # noqa: ARG002  # it keeps none
            raise OutputError("no room")

    references = PersonaStore(FullDisk())
    with pytest.raises(OutputError):
        add(references)
    assert references._kept == {}


@pytest.mark.parametrize(("agrees", "by"), [(False, "Kim"), (True, ""), (True, "   ")])
async def test_without_a_declaration_the_photo_is_not_even_read(agrees, by):
    async def unread(_photos):
        pytest.fail("read without consent")

    with pytest.raises(ConsentError):
        await PersonaStore(ListLedger()).add([PHOTO], owner_agrees=agrees, declared_by=by, language="en", read=unread)


class TestPeople:
    def test_they_are_found_by_an_id_of_their_own_and_have_a_name_and_a_number(self):
        references = PersonaStore(ListLedger())
        ann, bob = (add(references, use="show", name=name) for name in (" Ann Lee ", "밥"))
        assert ann.startswith("person:")
        known = [references.person(one) for one in (ann, bob)]
        assert [(one.id, one.name) for one in known] == [(ann, "Ann Lee"), (bob, "밥")]
        assert known[0].number != known[1].number

    def test_a_number_is_not_used_again(self):
        references = PersonaStore(ListLedger())
        first = add(references, use="show", name="Ann")
        number = references.person(first).number
        references.forget(first)
        assert references.person(add(references, use="show", name="Ann")).number != number

    @pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 101])
    def test_without_a_name_nobody_is_registered(self, name):
        ledger = ListLedger()
        with pytest.raises(InputError, match="name"):
            add(PersonaStore(ledger), use="show", name=name)
        assert ledger.declarations == []

    def test_what_they_are_lent_for_is_declared(self):
        ledger = ListLedger()
        references = PersonaStore(ledger)
        add(references, use="show", name="Ann")
        add(references)
        assert [declaration.use for declaration in ledger.declarations] == ["show", "swap"]

    def test_a_persona_is_nobody_to_be_known(self):
        references = PersonaStore(ListLedger())
        with pytest.raises(UnknownPersonError):
            references.person(add(references))

    def test_who_was_taken_back_is_not_known_any_more_even_where_they_are_held(self):
        references = PersonaStore(ListLedger())
        ann = add(references, use="show", name="Ann")
        Hold(references).move_to([ann])
        references.forget(ann)
        with pytest.raises(UnknownPersonError, match="expired"):
            references.person(ann)

    def test_they_expire_unless_they_are_held(self):
        clock = Clock()
        references = PersonaStore(ListLedger(), ttl_s=10, now=clock)
        held, idle = (add(references, use="show", name="Ann") for _ in range(2))
        Hold(references).move_to([held])
        clock.at = 11
        assert references.person(held)
        with pytest.raises(UnknownPersonError):
            references.person(idle)

    def test_there_may_be_more_of_them_than_of_personas_and_neither_drives_out_the_other(self):
        references = PersonaStore(ListLedger(), max_count=1)
        face = add(references)
        people = [add(references, use="show", name="Ann") for _ in range(PEOPLE_FOR_A_PERSONA + 1)]
        assert references.get(face)
        assert [references.person(one).id for one in people[1:]] == people[1:]
        with pytest.raises(UnknownPersonError):
            references.person(people[0])
