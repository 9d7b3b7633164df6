from hypothesis import given
from hypothesis import strategies as st

from mien.rate_limit import Backoff, LogThrottle, TokenBucket, TokenBuckets, WorkBudgets

some = st.floats(0.1, 100)


@given(some, some, st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 20)), min_size=1, max_size=40))
def test_a_bucket_never_grants_more_than_its_burst_and_what_came_back(rate, burst, asked):
    bucket = TokenBucket(rate=rate, burst=burst)
    now = granted = 0.0
    for pause_s, amount in asked:
        now += pause_s
        if bucket.take(amount, now=now):
            granted += amount
    assert granted <= burst + rate * now + 1e-6


def test_a_bucket_whose_rate_changes_keeps_what_it_holds():
    bucket = TokenBucket(rate=1.0, burst=4.0)
    assert bucket.take(4.0, now=0.0)
    bucket.rate = 2.0
    assert not bucket.take(3.0, now=1.0)
    assert bucket.take(2.0, now=1.0)


def test_a_failure_of_every_frame_for_an_hour_is_some_lines_in_the_log():
    failures = LogThrottle()
    assert sum(failures.count() for _ in range(30 * 3600)) == 17
    assert failures.times == 30 * 3600


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_within_its_spread_and_never_shrinks_with_failures(failures, chance):
    backoff = Backoff(0.1, 5.0, spread=(0.5, 1.5))
    pause_s = backoff.pause_s(failures, chance=chance)
    assert 0.05 <= pause_s <= 7.5
    assert pause_s <= backoff.pause_s(failures + 1, chance=chance)


def test_pauses_double_up_to_the_longest():
    backoff = Backoff(1.0, 30.0, spread=(1.0, 1.0))
    assert [backoff.pause_s(n, chance=0.5) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


def test_who_empties_their_bucket_waits_and_nobody_else_does():
    buckets = TokenBuckets(rate=0.5, burst=2)
    assert [buckets.wait_s("a", now=0.0) for _ in range(3)] == [0.0, 0.0, 2.0]
    assert buckets.wait_s("b", now=0.0) == 0.0
    assert buckets.wait_s("a", now=1.0) == 1.0
    assert buckets.wait_s("a", now=2.0) == 0.0


def test_of_too_many_addresses_the_one_that_asked_longest_ago_is_forgotten():
    buckets = TokenBuckets(rate=0.1, burst=1, most=2)
    assert [buckets.wait_s(address, now=0.0) for address in ("a", "b")] == [0.0, 0.0]
    assert buckets.wait_s("a", now=0.0) > 0, "asks again, and is remembered for it"
    assert buckets.wait_s("c", now=0.0) == 0.0
    assert buckets.wait_s("a", now=0.0) > 0
    assert buckets.wait_s("b", now=0.0) == 0.0, "begins anew"


def test_who_has_spent_more_than_there_is_waits_until_it_is_paid_off():
    budgets = WorkBudgets(rate=0.5, burst=2.0)
    budgets.spend("a", 1.5, now=0.0)
    assert budgets.wait_s("a", now=0.0) == 0
    budgets.spend("a", 1.5, now=0.0)
    assert [budgets.wait_s("a", now=at) for at in (0.0, 1.0, 2.0)] == [2.0, 1.0, 0.0]
    assert budgets.wait_s("b", now=0.0) == 0


def test_nobody_saves_up_more_than_the_burst():
    budgets = WorkBudgets(rate=1.0, burst=2.0)
    budgets.spend("a", 1.0, now=0.0)
    budgets.spend("a", 3.0, now=3600.0)
    assert budgets.wait_s("a", now=3600.0) == 1.0


def test_of_too_many_debtors_the_oldest_is_forgotten():
    budgets = WorkBudgets(rate=1.0, burst=1.0, most=2)
    for number, key in enumerate("abc"):
        budgets.spend(key, 100.0, now=float(number))
    assert [budgets.wait_s(key, now=3.0) > 0 for key in "abc"] == [False, True, True]
