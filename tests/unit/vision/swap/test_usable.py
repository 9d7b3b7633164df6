"""Which personas can be drawn: a policy only names them."""

import pytest

from mien.errors import PersonaError
from mien.vision.policy import Swap
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.persona import usable


class Stranger:
    name = "volto"


def test_a_built_in_mask_can_be_drawn():
    volto = builtin_mask("volto")
    assert usable(Swap(volto).persona) is volto


def test_a_name_alone_cannot():
    with pytest.raises(PersonaError, match="Stranger"):
        usable(Swap(Stranger()).persona)
