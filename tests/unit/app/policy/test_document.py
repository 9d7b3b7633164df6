"""The policy document: what it says, what it refuses and by which code, and that its text is canonical."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from mien.app.policy.document import MAX_RULES, PolicyDocument, PolicyIn
from mien.app.policy.rules import (
    EveryoneSubject,
    MosaicTreatment,
    PersonSubject,
    PrimarySubject,
    Rule,
    ShowTreatment,
    SwapTreatment,
)
from mien.errors import MienError, PolicyError
from mien.vision.render.mosaic import MosaicShape, MosaicStyle
from support.policies import hiding, showing, swapping

ANN, BOB = {"kind": "person", "id": "ann"}, {"kind": "person", "id": "bob"}
PRIMARY, EVERYONE = {"kind": "primary"}, {"kind": "everyone"}
SHOW, MOSAIC, SWAP = {"kind": "show"}, {"kind": "mosaic"}, {"kind": "swap", "persona": "mask:volto"}
BLUR, SOLID = MOSAIC | {"style": "blur"}, MOSAIC | {"style": "solid"}


def document(*rules, version=1):
    return {"version": version, "rules": [{"subject": who, "treatment": what} for who, what in rules]}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        pytest.param({"rules": []}, "policy.version", id="no version"),
        pytest.param(document(version=2), "policy.version", id="a later version"),
        pytest.param(document(version="1"), "policy.version", id="a version as text"),
        pytest.param(document(version=True), "policy.version", id="a version that is true"),
        pytest.param(document(version=1.0), "policy.version", id="a version with a point"),
        pytest.param([], "policy.format", id="a list"),
        pytest.param(None, "policy.format", id="null"),
        pytest.param(document() | {"extra": 1}, "policy.format", id="an unknown field"),
        pytest.param({"version": 1, "rules": {}}, "policy.format", id="rules that are no list"),
        pytest.param({"version": 1, "rules": [{"subject": ANN}]}, "policy.format", id="a rule without treatment"),
        pytest.param(document(({"kind": "nobody"}, MOSAIC)), "policy.format", id="an unknown subject"),
        pytest.param(document(({}, MOSAIC)), "policy.format", id="a subject without kind"),
        pytest.param(document(({"kind": "person"}, SHOW)), "policy.format", id="a person without id"),
        pytest.param(document((ANN | {"id": ""}, SHOW)), "policy.format", id="an empty id"),
        pytest.param(document((ANN | {"id": "a\nb"}, SHOW)), "policy.format", id="an id that cannot be printed"),
        pytest.param(document((ANN | {"id": "a" * 256}, SHOW)), "policy.format", id="a long id"),
        pytest.param(document((PRIMARY | {"id": "x"}, SWAP)), "policy.format", id="an id for primary"),
        pytest.param(document((EVERYONE, {"kind": "blur"})), "policy.format", id="an unknown treatment"),
        pytest.param(document((EVERYONE, {"kind": "swap"})), "policy.format", id="a swap into nothing"),
        pytest.param(document((EVERYONE, SWAP | {"persona": "/etc/passwd"})), "policy.format", id="a path"),
        pytest.param(document((EVERYONE, SWAP | {"persona": "mask:a\n"})), "policy.format", id="a line break"),
        pytest.param(document((EVERYONE, SWAP | {"face_shape": 2})), "policy.format", id="too much shape"),
        pytest.param(document((EVERYONE, SWAP | {"face_shape": float("nan")})), "policy.format", id="no number"),
        pytest.param(document((EVERYONE, SWAP | {"fallback": SHOW})), "policy.format", id="a fallback that shows"),
        pytest.param(document((EVERYONE, MOSAIC | {"style": "stars"})), "policy.format", id="an unknown style"),
        pytest.param(document((EVERYONE, SHOW)), "policy.show", id="everyone shown"),
        pytest.param(document((PRIMARY, SHOW)), "policy.show", id="the primary one shown"),
        pytest.param(document((ANN, SHOW), (ANN, SHOW)), "policy.duplicate", id="a person twice"),
        pytest.param(document((ANN, SHOW), (BOB, SHOW), (ANN, SWAP)), "policy.duplicate", id="a contradiction"),
        pytest.param(document((EVERYONE, MOSAIC), (EVERYONE, MOSAIC)), "policy.duplicate", id="everyone twice"),
        pytest.param(document((EVERYONE, MOSAIC), (ANN, SHOW)), "policy.order", id="show after everyone"),
        pytest.param(document((EVERYONE, MOSAIC), (PRIMARY, SWAP)), "policy.order", id="swap after everyone"),
        pytest.param(document((PRIMARY, SWAP), (ANN, SHOW)), "policy.order", id="a person after primary"),
        pytest.param(document((PRIMARY, BLUR), (EVERYONE, SOLID)), "policy.unsupported", id="two styles"),
        pytest.param(
            document((EVERYONE, SWAP | {"fallback": SOLID}), (PRIMARY, BLUR)), "policy.order", id="order comes first"
        ),
        pytest.param(
            document((PRIMARY, SWAP | {"face_shape": 0.1}), (EVERYONE, SWAP | {"face_shape": 0.2})),
            "policy.unsupported",
            id="two face shapes",
        ),
        pytest.param(
            document(*((ANN | {"id": f"p{n}"}, SHOW) for n in range(MAX_RULES + 1))), "policy.too_long", id="many rules"
        ),
    ],
)
def test_what_is_no_policy_is_refused_with_its_code(wrong, code):
    class Body(BaseModel):
        policy: PolicyIn

    for read in (
        PolicyDocument.read,
        lambda data: Body(policy=data),
        lambda data: Body.model_validate({"policy": data}),
    ):
        with pytest.raises(PolicyError) as refused:
            read(wrong)
        assert refused.value.code == code
        assert type(refused.value)(str(refused.value)).code == code  # it can be made anew where it came from afar


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, '{"version": 1}}', b"\x00"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(PolicyError) as refused:
        PolicyDocument.from_json(text)
    assert refused.value.code == "policy.format"


def test_a_refusal_says_where_and_repeats_no_value():
    secret = document((PRIMARY, SWAP | {"persona": "reference:se cret"}))
    with pytest.raises(PolicyError, match=r"rules\.0\.treatment\.swap\.persona") as refused:
        PolicyDocument.read(secret)
    assert "cret" not in str(refused.value)


def test_without_a_rule_for_everyone_they_get_a_mosaic():
    implied = PolicyDocument.read(document((PRIMARY, SWAP)))
    assert implied == PolicyDocument.read(document((PRIMARY, SWAP), (EVERYONE, MOSAIC)))
    assert implied.everyone == MosaicTreatment()
    assert PolicyDocument.read({"version": 1}) == PolicyDocument() == hiding()


def test_a_policy_says_who_gets_what():
    policy = PolicyDocument.read(document((ANN, SHOW), (BOB, MOSAIC), (PRIMARY, SWAP), (EVERYONE, BLUR)))
    assert policy.people == {"ann": ShowTreatment(), "bob": MosaicTreatment()}
    assert (policy.primary, policy.everyone) == (SwapTreatment(persona="mask:volto"), MosaicTreatment(style="blur"))
    assert (policy.personas, policy.treatments, policy.swaps) == (("mask:volto",), ("show", "mosaic", "swap"), True)


class TestLooks:
    def test_one_look_is_for_all_mosaics(self):
        policy = PolicyDocument.read(document((PRIMARY, MOSAIC), (EVERYONE, SWAP | {"fallback": BLUR})))
        whole = policy.completed(MosaicStyle.CELLS, MosaicShape.HEAD)
        look = MosaicTreatment(style="blur", shape="head")
        assert (whole.primary, whole.everyone.fallback, whole.mosaic) == (look, look, look)
        assert whole.completed(MosaicStyle.SOLID, MosaicShape.BOX) == whole

    def test_what_hides_instead_of_a_swap_looks_as_was_said(self):
        policy = swapping(everyone=True).completed(MosaicStyle.SOLID, MosaicShape.HEAD)
        assert policy.without_swaps() == hiding("solid", "head")


class TestWithoutSwaps:
    def test_everybody_is_hidden_where_nobody_was_shown(self):
        assert swapping().without_swaps() == swapping(everyone=True).without_swaps() == hiding()

    def test_those_who_are_shown_stay_shown(self):
        policy = PolicyDocument.read(document((ANN, SHOW), (BOB, SWAP), (PRIMARY, SWAP)))
        assert policy.without_swaps() == PolicyDocument.read(document((ANN, SHOW)))

    def test_one_persona_is_taken_off_and_others_stay(self):
        policy = PolicyDocument.read(document((PRIMARY, SWAP | {"persona": "reference:a"}), (EVERYONE, SWAP)))
        assert policy.without_swaps("reference:a") == PolicyDocument.read(document((PRIMARY, MOSAIC), (EVERYONE, SWAP)))
        assert policy.without_swaps("reference:b") == policy


class TestSimplified:
    @pytest.mark.parametrize("what", [MOSAIC, SWAP])
    def test_rules_that_change_nothing_go(self, what):
        policy = PolicyDocument.read(document((ANN, what), (PRIMARY, what), (EVERYONE, what)))
        assert policy.simplified() == PolicyDocument.read(document((EVERYONE, what)))

    def test_a_person_is_told_from_the_primary_one(self):
        policy = PolicyDocument.read(document((ANN, MOSAIC), (PRIMARY, SWAP)))
        assert policy.simplified() == policy  # else Ann might become the primary one


class TestReferences:
    POLICY = PolicyDocument.read(document((PRIMARY, SWAP | {"persona": "reference:key"}), (EVERYONE, SWAP)))

    def test_their_ids_are_withheld(self):
        shown = self.POLICY.withheld()
        assert shown.personas == ("reference", "mask:volto")
        assert "key" not in shown.to_json()
        assert PolicyDocument.from_json(shown.to_json()) == shown

    def test_ids_of_people_are_withheld_and_all_rules_stay(self):
        policy = showing("person:key1", "person:key2", everyone=SwapTreatment(persona="mask:volto"))
        shown = policy.withheld()
        assert list(shown.people) == ["person:1", "person:2"]
        assert "key" not in shown.to_json()
        assert len(shown.rules) == 3

    def test_ids_that_look_like_withheld_ones_are_no_contradiction(self):
        assert list(showing("person:2", "person:1").withheld().people) == ["person:1", "person:2"]

    def test_what_it_needs_to_be_followed_is_told(self):
        policy = showing("person:a", bob=SwapTreatment(persona="reference:key"))
        assert set(policy.lent) == {"person:a", "bob", "reference:key"}
        assert swapping().lent == ()

    def test_they_go_by_other_names(self):
        renamed = self.POLICY.with_personas({"reference:key": "reference:1"})
        assert renamed.personas == ("reference:1", "mask:volto")


class TestPeople:
    def test_one_is_taken_out_and_nothing_else_changes(self):
        policy = showing("ann", "bob", primary=SwapTreatment(persona="mask:volto"), eve=MosaicTreatment())
        without = policy.without_person("ann")
        assert list(without.people) == ["bob", "eve"]
        assert (without.primary, without.everyone) == (policy.primary, policy.everyone)
        assert policy.without_person("nobody") == policy

    def test_they_go_by_other_names(self):
        assert list(showing("ann", "bob").with_people({"ann": "1"}).people) == ["1", "bob"]


# --- text --------------------------------------------------------------------------------------------------------

mosaics = st.builds(MosaicTreatment, style=st.just("blur") | st.none(), shape=st.just("head") | st.none())
swaps = st.builds(
    SwapTreatment,
    persona=st.sampled_from(["mask:volto", "reference:x_-9", "reference"]),
    face_shape=st.just(0.25) | st.none(),
    fallback=mosaics | st.none(),
)
ids = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
people = st.lists(
    st.builds(
        Rule, subject=st.builds(PersonSubject, id=ids), treatment=st.one_of(st.just(ShowTreatment()), mosaics, swaps)
    ),
    unique_by=lambda rule: rule.subject.id,
    max_size=4,
)


def rules_for(subject):
    return st.lists(st.builds(Rule, subject=st.just(subject), treatment=mosaics | swaps), max_size=1)


documents = st.builds(
    lambda *parts: PolicyDocument(rules=tuple(rule for part in parts for rule in part)),
    people,
    rules_for(PrimarySubject()),
    rules_for(EveryoneSubject()),
)


@given(documents)
def test_text_and_document_are_each_others(policy):
    text = policy.to_json()
    assert PolicyDocument.from_json(text) == policy
    assert PolicyDocument.from_json(text.encode()).to_json() == text
    assert PolicyDocument.from_json(json.dumps(json.loads(text), indent=2)).digest == policy.digest
    assert PolicyDocument.read(policy.model_dump(mode="json")) == policy


@given(documents, documents)
def test_equal_documents_have_equal_digests_and_others_do_not(one, other):
    assert (one.digest == other.digest) == (one == other)
    assert (hash(one) == hash(other)) or one != other


@given(documents)
def test_nobody_is_shown_whom_no_rule_shows(policy):
    shown = {person for person, treatment in policy.people.items() if treatment.kind == "show"}
    for made in (policy.simplified(), policy.without_swaps(), policy.completed(MosaicStyle.BLUR, MosaicShape.HEAD)):
        assert {person for person, treatment in made.people.items() if treatment.kind == "show"} == shown
        assert "show" not in {made.everyone.kind, getattr(made.primary, "kind", None)}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["version", "rules", "subject", "treatment", "kind", "id", "persona"]), x)
        ),
    )
)
def test_whatever_comes_is_a_document_or_refused(data):
    try:
        policy = PolicyDocument.read(data)
    except MienError as error:
        assert error.code.startswith("policy.")  # noqa: PT017  # most of what comes is refused
    else:
        assert PolicyDocument.from_json(policy.to_json()) == policy


def test_the_text_is_pinned():
    policy = PolicyDocument.read(document((ANN | {"id": "하람"}, SHOW), (PRIMARY, SWAP)))
    assert policy.to_json() == (
        '{"rules":[{"subject":{"id":"하람","kind":"person"},"treatment":{"kind":"show"}},'
        '{"subject":{"kind":"primary"},"treatment":{"kind":"swap","persona":"mask:volto"}},'
        '{"subject":{"kind":"everyone"},"treatment":{"kind":"mosaic"}}],"version":1}'
    )
    assert policy.digest == "5b9ab8dd8cdfcb5ae12430bd467eac9018fc106e87850df2f6b3ad99ab22a4a3"


def test_the_examples_of_the_docs_are_policies():
    page = (Path(__file__).parents[4] / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
    examples = [block.partition("```")[0] for block in page.split("```json\n")[1:]]
    assert len(examples) >= 4
    for example in examples:
        assert PolicyDocument.from_json(example).rules
