import base64
import hmac

import pytest

from mien.media.webrtc.ice.turn import turn_credentials

SESSION = "q1w2e3r4t5y6u7i8o9p0"


def test_the_password_is_what_a_turn_server_with_the_secret_works_out_itself():
    made = turn_credentials("the shared secret", SESSION, now=1_700_000_000.9, ttl_s=60)
    assert made.username.startswith("1700000060:")
    wanted = hmac.new(b"the shared secret", made.username.encode(), "sha1").digest()
    assert base64.b64decode(made.password, validate=True) == wanted


def test_the_username_does_not_give_the_sessions_key_away():
    assert SESSION not in turn_credentials("the shared secret", SESSION, now=0, ttl_s=60).username


@pytest.mark.parametrize(
    ("secret", "session", "now"),
    [("another secret", SESSION, 0), ("the shared secret", "another", 0), ("the shared secret", SESSION, 1)],
)
def test_another_secret_session_or_time_makes_another_password(secret, session, now):
    first = turn_credentials("the shared secret", SESSION, now=0, ttl_s=60)
    assert turn_credentials(secret, session, now=now, ttl_s=60).password != first.password
