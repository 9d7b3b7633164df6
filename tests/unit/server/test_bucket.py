"""Buckets of tokens by address."""

from mien.server.bucket import Buckets


def test_who_empties_their_bucket_waits_and_nobody_else_does():
    buckets = Buckets(2, per_s=0.5)
    assert [buckets.wait_s("a", 0.0) for _ in range(3)] == [0.0, 0.0, 2.0]
    assert buckets.wait_s("b", 0.0) == 0.0
    assert buckets.wait_s("a", 1.0) == 1.0
    assert buckets.wait_s("a", 2.0) == 0.0


def test_of_too_many_addresses_the_one_that_asked_longest_ago_is_forgotten():
    buckets = Buckets(1, per_s=0.1, most=2)
    assert [buckets.wait_s(address, 0.0) for address in ("a", "b")] == [0.0, 0.0]
    assert buckets.wait_s("a", 0.0) > 0, "asks again, and is remembered for it"
    assert buckets.wait_s("c", 0.0) == 0.0
    assert buckets.wait_s("a", 0.0) > 0
    assert buckets.wait_s("b", 0.0) == 0.0, "begins anew"
