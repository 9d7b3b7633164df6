"""Bearer tokens: what a header can carry (RFC 6750, 2.1, and what is left of it in every client)."""

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr


def is_bearer_token(text: str) -> bool:
    """Tell whether a header can carry a token: visible ASCII characters."""
    return re.fullmatch(r"[\x21-\x7e]+", text) is not None


def _bearer(token: SecretStr) -> SecretStr:
    if not is_bearer_token(token.get_secret_value()):
        raise ValueError("a bearer token has visible ASCII characters only")
    return token


BearerToken = Annotated[SecretStr, AfterValidator(_bearer)]
