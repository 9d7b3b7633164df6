import threading

from mien.media.newest import Newest


def test_a_slow_reader_gets_the_newest_and_counts_the_rest():
    mailbox = Newest[int]()
    for frame in (1, 2, 3):
        mailbox.put(frame)
    assert (mailbox.get(timeout_s=0), mailbox.get(timeout_s=0), mailbox.dropped) == (3, None, 2)


def test_a_waiting_reader_wakes_for_an_item_from_another_thread():
    mailbox = Newest[str]()
    timer = threading.Timer(0.05, mailbox.put, ["late"])
    timer.start()
    assert mailbox.get(timeout_s=5) == "late"
    timer.join()


def test_a_nudge_wakes_the_reader_once_without_an_item():
    mailbox = Newest[int]()
    mailbox.nudge()
    assert mailbox.get(timeout_s=5) is None
    mailbox.put(1)
    assert mailbox.get(timeout_s=5) == 1


def test_a_closed_mailbox_takes_nothing_and_keeps_nobody_waiting():
    mailbox = Newest[int]()
    mailbox.put(1)
    mailbox.close()
    mailbox.put(2)
    assert (mailbox.get(), mailbox.dropped, mailbox.closed) == (None, 1, True)


def test_clearing_is_not_dropping():
    mailbox = Newest[int]()
    mailbox.put(1)
    mailbox.clear()
    mailbox.put(2)
    assert (mailbox.get(timeout_s=0), mailbox.dropped) == (2, 0)
