"""The only place where errors become HTTP: RFC 9457 answers with our stable codes."""

from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mien import errors
from mien.server.photos import photos_out

log = structlog.get_logger()

PROBLEM_TYPE: Final = "application/problem+json"

_STATUS: Final[dict[type[errors.MienError], HTTPStatus]] = {
    errors.MediaTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.OutputError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.ConsentError: HTTPStatus.FORBIDDEN,
    errors.ModelError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NoSuchBroadcastError: HTTPStatus.NOT_FOUND,
    errors.NoSuchSessionError: HTTPStatus.NOT_FOUND,
    errors.NoSuchFaceError: HTTPStatus.NOT_FOUND,
    errors.BroadcastTakenError: HTTPStatus.CONFLICT,
    errors.TooManySessionsError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.LiveLostError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NoPortError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TokenError: HTTPStatus.UNAUTHORIZED,
    errors.TokenNotSetError: HTTPStatus.FORBIDDEN,
    errors.SdpError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.LiveError: HTTPStatus.CONFLICT,
    errors.NoSuchRecordingError: HTTPStatus.NOT_FOUND,
    errors.BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.MienError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_RETRY_AFTER: Final = {HTTPStatus.SERVICE_UNAVAILABLE: "10", HTTPStatus.CONFLICT: "5"}
_RETRY_SOON: Final[dict[type[errors.MienError], str]] = {
    errors.LiveLostError: "1",  # a worker that waits takes over in a fraction of this
    errors.BroadcastTakenError: "2",  # mostly by the same publisher's lost line, which is given up any moment
}
"""Pages keep to what they are told, with a picture at stake."""


class HttpError(Exception):
    """A request breaks HTTP or a protocol on top of it, before it means anything to the rest of mien."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or "http." + status.phrase.lower().replace(" ", "_").replace("-", "_")
        self.headers = headers or {}


def problem(
    status: HTTPStatus, code: str, detail: str, *, headers: dict[str, str] | None = None, **more: object
) -> JSONResponse:
    """Return an RFC 9457 answer."""
    body = {"type": f"urn:mien:problem:{code}", "title": status.phrase, "status": status.value, "code": code}
    return JSONResponse(body | {"detail": detail} | more, status, headers, media_type=PROBLEM_TYPE)


def status_of(error: errors.MienError) -> HTTPStatus:
    """Return the status of the nearest class that has one."""
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


async def on_mien_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer an error that mien raised on purpose."""
    assert isinstance(error, errors.MienError)  # noqa: S101  # Starlette types handlers loosely
    status = status_of(error)
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="mien"'  # RFC 6750, 3
    if status in _RETRY_AFTER:
        headers["Retry-After"] = _RETRY_SOON.get(type(error), _RETRY_AFTER[status])
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_failed", code=error.code, reason=str(error))
    more: dict[str, object] = {}
    if isinstance(error, errors.FacePhotoError) and error.findings:
        more["photos"] = [photo.model_dump() for photo in photos_out(error.findings)]
    if isinstance(error, errors.UnknownPersonError) and error.people:
        more["people"] = list(error.people)  # as the request named them
    return problem(status, error.code, str(error), headers=headers, **more)


async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer a request that breaks a protocol."""
    assert isinstance(error, HttpError)  # noqa: S101  # Starlette types handlers loosely
    return problem(error.status, error.code, error.detail, headers=error.headers)


async def on_framework_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer what Starlette refuses: unknown paths, wrong verbs."""
    assert isinstance(error, HTTPException)  # noqa: S101  # Starlette types handlers loosely
    status = HTTPStatus(error.status_code)
    code = "http." + status.phrase.lower().replace(" ", "_").replace("-", "_")
    return problem(status, code, str(error.detail), headers=dict(error.headers or {}))


async def on_invalid_body(_request: Request, error: Exception) -> JSONResponse:
    """Answer a body or parameter that does not fit its model."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # Starlette types handlers loosely
    # Without the values: they may be secrets, and they are the caller's own.
    faults = [{"at": ".".join(map(str, fault["loc"])), "fault": fault["msg"]} for fault in error.errors()]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "input.invalid", "the request does not fit", faults=faults[:20])


async def on_bug(request: Request, error: Exception) -> JSONResponse:
    """Answer what nobody foresaw, without its details."""
    log.error("request_crashed", path=request.url.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "something broke on our side")


async def on_left(_socket: WebSocket, _error: Exception) -> None:
    """Let a client go that left its WebSocket while we were saying something."""


def install(app: FastAPI) -> None:
    """Make every error of `app` an RFC 9457 answer."""
    app.add_exception_handler(errors.MienError, on_mien_error)
    app.add_exception_handler(HttpError, on_http_error)
    app.add_exception_handler(HTTPException, on_framework_error)
    app.add_exception_handler(RequestValidationError, on_invalid_body)
    app.add_exception_handler(WebSocketDisconnect, on_left)
    app.add_exception_handler(Exception, on_bug)
