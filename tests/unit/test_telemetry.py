import logging

import pytest
import structlog

from mien.telemetry import set_up_logging

SECRET = "token-that-must-not-be-logged"  # noqa: S105  # it is made up


@pytest.fixture(autouse=True)
def _as_before():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def crash():
    bearer = SECRET
    raise RuntimeError("broken") if bearer else None


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_crash_is_logged_without_the_values_of_variables(form, capsys):
    set_up_logging(form=form)
    try:
        crash()
    except RuntimeError:
        structlog.get_logger().exception("request_crashed")
        logging.getLogger("some.library").exception("it broke")
    logged = capsys.readouterr().err
    assert logged.count("RuntimeError: broken") >= 2
    assert "request_crashed" in logged
    assert SECRET not in logged


def test_the_peers_libraries_never_log_their_handshakes(capsys):
    set_up_logging(level="DEBUG")
    logging.getLogger("aiortc.rtcpeerconnection").debug("setRemoteDescription(offer)\nv=0")
    logging.getLogger("aioice.ice").info("Connection(0) Check password")
    assert capsys.readouterr().err == ""


def test_the_servers_library_never_logs_who_opens_a_websocket(capsys):
    set_up_logging(level="DEBUG")
    logging.getLogger("uvicorn.error").info(
        '%s - "WebSocket %s" [accepted]', "192.0.2.1:5000", "/api/broadcasts/b/events"
    )
    assert capsys.readouterr().err == ""
