"""Who may do what: one rule for every action, and one place where it is checked.

A request shows a principal (`server/auth.py` reads it), a route has one action (`server/guards.py` checks it), and the
action says whether it is about the server or about one broadcast. Today a principal is what a bearer token and a
connection tell. Accounts will add who somebody is here, and nothing else has to learn of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, Protocol, TypeAlias

from mien.errors import TokenError, TokenNotSetError


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, by what it shows.

    Attributes:
        is_operator: The request shows the operator's token; where none is set, it surely comes from this machine, and
            from no page of another site.
        broadcast_id: It shows the token of this broadcast.
    """

    is_operator: bool = False
    broadcast_id: str | None = None


ANONYMOUS: Final = Principal()
"""Shows nothing, and may come from anywhere."""


class Owner(Enum):
    """Whose a broadcast is."""

    TOKEN = "token"  # noqa: S105  # a kind of owner, not a secret
    """Its own token's: it was given once, to who made the broadcast."""
    OPERATOR = "operator"
    """The operator's: it was made by publishing with their token."""
    NOBODY = "nobody"
    """Nobody's: it was made by publishing on a server that has no token."""


class OwnedBroadcast(Protocol):
    """A broadcast as rules see it. `Broadcast` is the real one."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        ...


@dataclass(frozen=True, slots=True)
class Server:
    """This server as rules see it.

    Attributes:
        has_token: The operator has set a token.
    """

    has_token: bool


Resource: TypeAlias = Server | OwnedBroadcast


class Action(StrEnum):
    """What somebody may want to do. Every route has exactly one."""

    READ_PAGES = "read pages"
    READ_HEALTH = "read the server's health"
    SEE_PERSONAS = "see built-in personas"
    LIST_BROADCASTS = "list broadcasts"
    ASK_SIGNALLING = "ask what WHIP and WHEP take"
    MAKE_BROADCASTS = "make broadcasts"
    LEND_PHOTOS = "lend photos and take them back"
    TREAT_FRAMES = "have single frames treated"
    READ_RECORDINGS = "read recordings"
    DELETE_RECORDINGS = "delete recordings"
    READ_METRICS = "read metrics"
    TRACE = "trace a broadcast's process"
    WATCH = "watch"
    PREVIEW = "watch as the broadcaster"
    SEE_REFERENCES = "see which photos a broadcast wears"
    SEE_FACES = "see what becomes of each face in a broadcast"
    PUBLISH = "publish"
    CHANGE_BROADCAST = "change a broadcast"
    PUSH = "push a broadcast elsewhere"
    END_BROADCAST = "end a broadcast"
    END_OWN_BROADCAST = "end a broadcast by its own token"


class Who(Enum):
    """Who may do it. The words are those of the reference."""

    EVERYBODY = "everybody"
    OPERATOR = "the operator"
    OWNER = "its owner; everybody where nobody owns it"
    OWNER_OR_OPERATOR = "its owner, or the operator; everybody where nobody owns it"
    PROVEN_OWNER = "its owner; nobody where nobody owns it"
    PROVEN_OWNER_OR_OPERATOR = "its owner, or the operator"


class About(Enum):
    """What an action is done with."""

    SERVER = "the server"
    BROADCAST = "one broadcast"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may do something.

    Attributes:
        about: With what.
        who: Who may.
    """

    about: About
    who: Who


RULES: Final[Mapping[Action, Rule]] = {
    Action.READ_PAGES: Rule(About.SERVER, Who.EVERYBODY),
    Action.READ_HEALTH: Rule(About.SERVER, Who.EVERYBODY),
    Action.SEE_PERSONAS: Rule(About.SERVER, Who.EVERYBODY),
    Action.LIST_BROADCASTS: Rule(About.SERVER, Who.EVERYBODY),
    Action.ASK_SIGNALLING: Rule(About.SERVER, Who.EVERYBODY),
    Action.MAKE_BROADCASTS: Rule(About.SERVER, Who.OPERATOR),
    Action.LEND_PHOTOS: Rule(About.SERVER, Who.OPERATOR),
    Action.TREAT_FRAMES: Rule(About.SERVER, Who.OPERATOR),
    Action.READ_RECORDINGS: Rule(About.SERVER, Who.OPERATOR),
    Action.DELETE_RECORDINGS: Rule(About.SERVER, Who.OPERATOR),
    Action.READ_METRICS: Rule(About.SERVER, Who.OPERATOR),
    Action.TRACE: Rule(About.SERVER, Who.OPERATOR),  # it costs time, and shows how the whole process fares
    Action.WATCH: Rule(About.BROADCAST, Who.EVERYBODY),  # its id is unguessable: who knows it may
    Action.PREVIEW: Rule(About.BROADCAST, Who.PROVEN_OWNER),
    Action.SEE_REFERENCES: Rule(About.BROADCAST, Who.PROVEN_OWNER),
    Action.SEE_FACES: Rule(About.BROADCAST, Who.PROVEN_OWNER_OR_OPERATOR),
    Action.PUBLISH: Rule(About.BROADCAST, Who.OWNER),
    Action.CHANGE_BROADCAST: Rule(About.BROADCAST, Who.OWNER),
    Action.PUSH: Rule(About.BROADCAST, Who.OWNER),
    Action.END_BROADCAST: Rule(About.BROADCAST, Who.OWNER_OR_OPERATOR),
    Action.END_OWN_BROADCAST: Rule(About.BROADCAST, Who.OWNER),
}


def authorize(principal: Principal, action: Action, resource: Resource) -> None:
    """Let `principal` do `action` with `resource`.

    Raises:
        TokenError: The token that this needs is missing or wrong.
        TokenNotSetError: The operator alone may, the server has no token, and the request may come from elsewhere.
        TypeError: The action is not about such a resource. Nobody may then.
    """
    rule = RULES[action]
    if isinstance(resource, Server):
        _check_about(action, rule, About.SERVER)
        if rule.who is not Who.EVERYBODY:
            _check_operator(principal, resource)
    else:
        _check_about(action, rule, About.BROADCAST)
        if rule.who is not Who.EVERYBODY:
            _check_owner(principal, rule.who, resource)


def may(principal: Principal, action: Action, resource: Resource) -> bool:
    """Tell whether `authorize` lets `principal` do `action`."""
    try:
        authorize(principal, action, resource)
    except (TokenError, TokenNotSetError):
        return False
    return True


def _check_about(action: Action, rule: Rule, about: About) -> None:
    if rule.about is not about:
        raise TypeError(f"to {action} is about {rule.about.value}, not about {about.value}")


def _check_operator(principal: Principal, server: Server) -> None:
    if principal.is_operator:
        return
    if server.has_token:
        raise TokenError("this needs the operator's bearer token")
    raise TokenNotSetError(
        "this server can be reached from beyond its own machine, so it needs MIEN_WHIP_TOKEN to be set"
    )


def _check_owner(principal: Principal, who: Who, broadcast: OwnedBroadcast) -> None:
    if _owns(principal, broadcast):
        return
    if who in {Who.OWNER_OR_OPERATOR, Who.PROVEN_OWNER_OR_OPERATOR} and principal.is_operator:
        return
    if who in {Who.OWNER, Who.OWNER_OR_OPERATOR} and broadcast.owner is Owner.NOBODY:
        return
    raise TokenError("this needs the broadcast's own bearer token")


def _owns(principal: Principal, broadcast: OwnedBroadcast) -> bool:
    if broadcast.owner is Owner.OPERATOR:
        return principal.is_operator
    return broadcast.owner is Owner.TOKEN and principal.broadcast_id == broadcast.id
