"""Credentials for a TURN server that end by themselves, made without asking it."""

import base64
import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TurnCredentials:
    """What one session shows to a TURN server.

    Attributes:
        username: The end of its life in seconds since 1970, a colon, and whose it is.
        password: Made from the username and the secret.
    """

    username: str
    password: str


def turn_credentials(secret: str, session_id: str, *, now: float, ttl_s: int) -> TurnCredentials:
    """Make credentials that a TURN server with the same secret takes for `ttl_s` seconds.

    A username crosses the network in the clear, and a session's id is the key to end it, so the username
    carries a digest of the id. It is the same whenever it is made: a TURN server can hold each session to a quota.

    Args:
        secret: Shared with the TURN server (coturn's `static-auth-secret`).
        session_id: Whose credentials they are.
        now: Seconds since 1970.
        ttl_s: How long new allocations may be made with them.

    Source:
        draft-uberti-behave-turn-rest-00, 2.2; coturn calls it `use-auth-secret`.

    Example:
        >>> turn_credentials("north", "xyz", now=1_000_000.5, ttl_s=600).username
        '1000600:3608bca1e44ea6c4d268eb6db02260269892c0b4'
    """
    whose = hashlib.sha256(session_id.encode()).hexdigest()[:40]
    username = f"{int(now) + ttl_s}:{whose}"
    # SHA-1 is what the scheme says and TURN servers check; as an HMAC it stands (RFC 6194, 3.3).
    password = hmac.digest(secret.encode(), username.encode(), "sha1")
    return TurnCredentials(username, base64.b64encode(password).decode())
