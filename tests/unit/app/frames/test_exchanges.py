"""Exchanges of frames: counted, and reached when a photo is taken back."""

import pytest

from mien.app.frames.exchanges import Exchanges
from mien.errors import TooManySessionsError


class Wearing:
    def __init__(self):
        self.taken_off = []

    def take_off(self, persona_id):
        self.taken_off.append(persona_id)


def test_no_more_go_on_than_may_and_one_that_ends_makes_room():
    exchanges = Exchanges(1)
    with exchanges.entered(Wearing()), pytest.raises(TooManySessionsError, match="at most 1"):
        exchanges.entered(Wearing()).__enter__()
    with pytest.raises(ZeroDivisionError), exchanges.entered(Wearing()):
        raise ZeroDivisionError
    with exchanges.entered(Wearing()):
        pass


def test_a_photo_is_taken_off_everybody_who_is_there():
    exchanges, gone, there = Exchanges(2), Wearing(), Wearing()
    with exchanges.entered(gone):
        pass
    with exchanges.entered(there):
        exchanges.take_off("reference:x")
    assert (gone.taken_off, there.taken_off) == ([], ["reference:x"])
