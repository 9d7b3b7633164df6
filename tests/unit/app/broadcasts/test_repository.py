"""Broadcasts by id and by token."""

from dataclasses import dataclass

from mien.app.broadcasts.repository import InMemoryBroadcasts


@dataclass(eq=False)
class Kept:
    id: str
    token: str | None


def test_a_broadcast_is_found_by_its_id_and_by_its_own_token_alone():
    broadcasts = InMemoryBroadcasts()
    first, second, tokenless = Kept("a", "token-a"), Kept("b", "token-b"), Kept("c", None)
    for broadcast in (first, second, tokenless):
        broadcasts.add(broadcast)
    assert [broadcasts.find(name) for name in ("a", "b", "c", "d")] == [first, second, tokenless, None]
    assert [broadcasts.by_token(token) for token in ("token-a", "token-b", "token", "", "ü")] == [
        first,
        second,
        None,
        None,
        None,
    ]


def test_one_that_is_removed_while_all_are_looked_at_disturbs_nobody():
    broadcasts = InMemoryBroadcasts()
    for name in "abc":
        broadcasts.add(Kept(name, name))
    seen = []
    for broadcast in broadcasts:
        broadcasts.remove(broadcast)
        broadcasts.remove(broadcast)
        seen.append(broadcast.id)
    assert (seen, len(broadcasts)) == (["a", "b", "c"], 0)
