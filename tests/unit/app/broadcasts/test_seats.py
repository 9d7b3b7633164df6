from dataclasses import dataclass

import pytest

from mien.app.broadcasts.seats import MAX_PREVIEWS, MAX_WAITING, MAX_WAITING_OF_ONE, Seats
from mien.errors import TooManySessionsError


@dataclass(eq=False)
class Somebody:
    is_audience: bool = True
    is_connected: bool = False
    has_left: bool = False

    def leave(self):
        self.has_left = True


def admit(seats, count=1, *, source="home", is_audience=True):
    return [seats.admit(lambda: Somebody(is_audience), is_audience=is_audience, source=source) for _ in range(count)]


def test_who_never_connects_takes_nobodys_place():
    seats = Seats(2)
    admit(seats, 100, source="flood")
    (viewer,) = admit(seats, source="home")
    viewer.is_connected = True
    assert seats.may_stay(viewer)


def test_those_who_are_connected_count():
    seats = Seats(2)
    viewers = admit(seats, 2)
    for viewer in viewers:
        viewer.is_connected = True
    with pytest.raises(TooManySessionsError, match="2 viewers"):
        admit(seats)
    seats.discard(viewers[0])
    admit(seats)


def test_of_more_who_wait_than_may_connect_the_last_ones_are_sent_away():
    seats = Seats(2)
    viewers = admit(seats, 3)
    for viewer in viewers:
        viewer.is_connected = True
    assert not seats.may_stay(viewers[2])
    seats.discard(viewers[2])
    assert seats.may_stay(viewers[0])


def test_who_floods_pushes_out_nobody_but_himself():
    seats = Seats(64)
    (neighbour,) = admit(seats, source="neighbour")
    flood = admit(seats, 1000, source="flood")
    assert not neighbour.has_left
    assert [viewer.has_left for viewer in flood[-MAX_WAITING_OF_ONE:]] == [False] * MAX_WAITING_OF_ONE
    assert all(viewer.has_left for viewer in flood[:-MAX_WAITING_OF_ONE])


def test_a_flood_from_many_addresses_takes_from_the_largest_crowd_first():
    seats = Seats(64)
    (neighbour,) = admit(seats, source="neighbour")
    crowds = [admit(seats, MAX_WAITING_OF_ONE, source=f"crowd {n}") for n in range(2)]
    assert sum(viewer.has_left for crowd in crowds for viewer in crowd) == 1 + 2 * MAX_WAITING_OF_ONE - MAX_WAITING
    assert not neighbour.has_left
    admit(seats, MAX_WAITING // 2, source="another")
    assert not neighbour.has_left


def test_the_broadcasters_own_preview_has_a_place_however_many_watch():
    seats = Seats(1)
    (viewer,) = admit(seats)
    viewer.is_connected = True
    (preview,) = admit(seats, is_audience=False)
    preview.is_connected = True
    assert seats.may_stay(preview)
    further = admit(seats, 3 * MAX_PREVIEWS, is_audience=False)
    assert not preview.has_left
    assert not further[-1].has_left


def test_who_is_refused_sends_nobody_away():
    def refused():
        raise ValueError

    seats = Seats(1)
    waiting = admit(seats, MAX_WAITING_OF_ONE)
    with pytest.raises(ValueError):  # noqa: PT011  # the one above
        seats.admit(refused, is_audience=True, source="home")
    assert not any(viewer.has_left for viewer in waiting)
