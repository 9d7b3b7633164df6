from dataclasses import dataclass, fields

import pytest

from mien.app.access import ANONYMOUS, RULES, About, Action, Owner, Principal, Server, Who, authorize, may
from mien.errors import TokenError, TokenNotSetError


@dataclass(frozen=True)
class Somewhere:
    """A broadcast as rules see it."""

    id: str
    owner: Owner


PRINCIPALS = {
    "anonymous": ANONYMOUS,
    "operator": Principal(is_operator=True),
    "broadcaster": Principal(broadcast_id="mine"),
}
EVERYBODY = frozenset(PRINCIPALS)
NOBODY = frozenset()
OPERATORS = frozenset({"operator"})
BROADCASTERS = frozenset({"broadcaster"})

GUARDED, OPEN = Server(has_token=True), Server(has_token=False)
MINE, OTHER = Somewhere("mine", Owner.TOKEN), Somewhere("other", Owner.TOKEN)
OPERATORS_OWN, NOBODYS = Somewhere("operators", Owner.OPERATOR), Somewhere("nobodys", Owner.NOBODY)
SERVERS = {"a server with a token": GUARDED, "a server without one": OPEN}
BROADCASTS = {
    "one's own": MINE,
    "another's": OTHER,
    "the operator's": OPERATORS_OWN,
    "nobody's": NOBODYS,
}

ON_SERVERS = {
    Who.EVERYBODY: {GUARDED: EVERYBODY, OPEN: EVERYBODY},
    Who.OPERATOR: {GUARDED: OPERATORS, OPEN: OPERATORS},
}
ON_BROADCASTS = {
    Who.EVERYBODY: {MINE: EVERYBODY, OTHER: EVERYBODY, OPERATORS_OWN: EVERYBODY, NOBODYS: EVERYBODY},
    Who.OWNER: {MINE: BROADCASTERS, OTHER: NOBODY, OPERATORS_OWN: OPERATORS, NOBODYS: EVERYBODY},
    Who.OWNER_OR_OPERATOR: {
        MINE: BROADCASTERS | OPERATORS,
        OTHER: OPERATORS,
        OPERATORS_OWN: OPERATORS,
        NOBODYS: EVERYBODY,
    },
    Who.PROVEN_OWNER_OR_OPERATOR: {
        MINE: BROADCASTERS | OPERATORS,
        OTHER: OPERATORS,
        OPERATORS_OWN: OPERATORS,
        NOBODYS: OPERATORS,
    },
    Who.PROVEN_OWNER: {MINE: BROADCASTERS, OTHER: NOBODY, OPERATORS_OWN: OPERATORS, NOBODYS: NOBODY},
}
WHO = {
    Action.READ_PAGES: Who.EVERYBODY,
    Action.READ_HEALTH: Who.EVERYBODY,
    Action.SEE_PERSONAS: Who.EVERYBODY,
    Action.LIST_BROADCASTS: Who.EVERYBODY,
    Action.ASK_SIGNALLING: Who.EVERYBODY,
    Action.MAKE_BROADCASTS: Who.OPERATOR,
    Action.LEND_PHOTOS: Who.OPERATOR,
    Action.TREAT_FRAMES: Who.OPERATOR,
    Action.READ_RECORDINGS: Who.OPERATOR,
    Action.DELETE_RECORDINGS: Who.OPERATOR,
    Action.READ_METRICS: Who.OPERATOR,
    Action.TRACE: Who.OPERATOR,
    Action.WATCH: Who.EVERYBODY,
    Action.PREVIEW: Who.PROVEN_OWNER,
    Action.SEE_REFERENCES: Who.PROVEN_OWNER,
    Action.SEE_FACES: Who.PROVEN_OWNER_OR_OPERATOR,
    Action.PUBLISH: Who.OWNER,
    Action.CHANGE_BROADCAST: Who.OWNER,
    Action.PUSH: Who.OWNER,
    Action.END_BROADCAST: Who.OWNER_OR_OPERATOR,
    Action.END_OWN_BROADCAST: Who.OWNER,
}
ABOUT_A_BROADCAST = {
    Action.WATCH,
    Action.PREVIEW,
    Action.SEE_REFERENCES,
    Action.SEE_FACES,
    Action.PUBLISH,
    Action.CHANGE_BROADCAST,
    Action.PUSH,
    Action.END_BROADCAST,
    Action.END_OWN_BROADCAST,
}

EVERY_CASE = [
    pytest.param(name, action, resource, id=f"{name} wants to {action} on {which}")
    for name in PRINCIPALS
    for action in Action
    for which, resource in (SERVERS | BROADCASTS).items()
]


@pytest.mark.parametrize(("name", "action", "resource"), EVERY_CASE)
def test_who_may_do_what_with_what(name, action, resource):
    is_broadcast = not isinstance(resource, Server)
    if is_broadcast != (action in ABOUT_A_BROADCAST):
        with pytest.raises(TypeError, match="is about"):
            authorize(PRINCIPALS[name], action, resource)
        return
    table = ON_BROADCASTS if is_broadcast else ON_SERVERS
    allowed = name in table[WHO[action]][resource]
    assert may(PRINCIPALS[name], action, resource) == allowed
    if allowed:
        authorize(PRINCIPALS[name], action, resource)
    else:
        with pytest.raises(TokenNotSetError if resource is OPEN else TokenError):
            authorize(PRINCIPALS[name], action, resource)


def test_every_action_has_a_rule_and_nobody_is_let_through_by_a_new_kind_of_it():
    assert RULES.keys() == set(Action) == set(WHO)
    kinds = {(rule.about, rule.who) for rule in RULES.values()}
    assert kinds <= {(About.SERVER, who) for who in ON_SERVERS} | {(About.BROADCAST, who) for who in ON_BROADCASTS}


def test_who_shows_nothing_is_nobody():
    assert not any(getattr(ANONYMOUS, field.name) for field in fields(ANONYMOUS))
