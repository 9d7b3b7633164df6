"""Forms in which single settings are written."""

import json
import re
from ipaddress import ip_address, ip_network
from typing import Annotated, Final, TypeAlias, TypeVar

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

T = TypeVar("T")

_OUR_PATHS: Final = frozenset({"api", "assets", "live", "metrics", "openapi.json", "watch", "whep", "whip", "ws"})
LIST_FORM: Final = 'names with commas between, as in a,b, or a JSON list, as in ["a", "b"]'


def port_range(text: str) -> str:
    """Let pass `50000-50100`."""
    first, last = (int(port) for port in text.split("-"))
    if not 1024 <= first <= last <= 65_535:
        raise ValueError(f"ports go from 1024 to 65535 and the first is not above the last, got {text}")
    return text


def network(text: str) -> str:
    """Return a network, or an address as one, in its usual form."""
    return str(ip_network(text))


def announced(entry: str) -> str:
    """Let pass `ADDRESS` and `PUBLIC/LOCAL`."""
    addresses = [ip_address(part) for part in entry.split("/")]
    if len(addresses) > 2 or len({address.version for address in addresses}) > 1:
        raise ValueError(f"wanted ADDRESS or PUBLIC/LOCAL of one family, got {entry}")
    return entry


def path_prefix(text: str) -> str:
    """Return a path such as `/mien`, without a slash at its end."""
    if not re.fullmatch(r"(/(?=[^/]*[A-Za-z0-9])[A-Za-z0-9._~-]+)*/?", text):
        raise ValueError(f"wanted a path such as /mien, got {text}")
    if text.split("/")[1:2] and text.split("/")[1] in _OUR_PATHS:
        raise ValueError(f"a prefix must not begin as a path of mien's own does, got {text}")
    return text.rstrip("/")


def _listed(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.strip().startswith("["):
        return [name.strip() for name in value.split(",") if name.strip()]
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"wanted {LIST_FORM}") from error


Listed: TypeAlias = Annotated[T, NoDecode, BeforeValidator(_listed)]
"""A tuple of names that is written with commas between, or as JSON; nothing is none."""
