"""What the OpenAPI document says of answers that are no success, and of bodies that are not JSON."""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, Field

from mien.app.access import Action
from mien.server.guards import requires
from mien.server.photos import PhotoOut

PROBLEM_TYPE: Final = "application/problem+json"


class Fault(BaseModel):
    """What does not fit in a body or a parameter."""

    at: str = Field(description="Where: `body.title`, `path.broadcast_id`.")
    fault: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="`urn:mien:problem:` and the code.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="Stable: `session.too_many`. The reference of errors lists them.")
    detail: str = Field(description="What was wanted and what came, for people.")
    faults: list[Fault] | None = Field(default=None, description="With `input.invalid`: each field that does not fit.")
    photos: list[PhotoOut] | None = Field(default=None, description="With errors of photos: what was found in each.")
    people: list[str] | None = Field(
        default=None, description="With `policy.unknown_person`: ids that are not known here; there may be more."
    )


_WHEN: Final[dict[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "The request is no HTTP that makes sense here, or names a host that is not ours.",
    HTTPStatus.UNAUTHORIZED: "The bearer token is missing, or another one is needed.",
    HTTPStatus.FORBIDDEN: "It is not allowed from here: without consent, from another site, or by this caller.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.NOT_ACCEPTABLE: "The request takes no answer of the type that there is.",
    HTTPStatus.REQUEST_TIMEOUT: "The body took too long to come.",
    HTTPStatus.CONFLICT: "Not in this state: somebody publishes already, or it is over. `Retry-After` says when again.",
    HTTPStatus.PRECONDITION_FAILED: "`If-Match` names other ICE credentials.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this route takes.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of another type.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "It was understood, and does not fit.",
    HTTPStatus.PRECONDITION_REQUIRED: "`If-Match` is missing.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests from here; `Retry-After` says when again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Full, or not ready; `Retry-After` says when again.",
}
ANYWHERE: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS,
)
"""What any route may answer. A 500 is a fault of ours, not a part of the contract."""


def answers(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may refuse with these statuses."""
    return {
        status.value: {"description": _WHEN[status], "content": {PROBLEM_TYPE: {"schema": _REF}}} for status in statuses
    }


def text_body(media_type: str, description: str, *, max_length: int | None = None) -> dict[str, Any]:
    """Return the `openapi_extra` of a route whose body is text."""
    schema: dict[str, Any] = {"type": "string"} | ({} if max_length is None else {"maxLength": max_length})
    content = {media_type: {"schema": schema}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


def with_problems_of(openapi: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return what makes the document of `openapi`, with the schemas that `answers` refers to, in a steady order."""

    def document() -> dict[str, Any]:
        made = openapi()
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for never_sent in ("HTTPValidationError", "ValidationError"):
            schemas.pop(never_sent, None)
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs", {}) | {Problem.__name__: problem}
        for path, operations in made["paths"].items():
            for operation in operations.values():
                _order_by(path, operation.get("parameters", []))
        return made

    return document


def _order_by(path: str, parameters: list[dict[str, Any]]) -> None:
    """Let the parameters of a path come first, in its own order; FastAPI names those last that a dependency reads."""
    places = [name.partition("}")[0] for name in path.split("{")[1:]]
    parameters.sort(key=lambda one: places.index(one["name"]) if one["in"] == "path" else len(places))


_REF: Final = {"$ref": f"#/components/schemas/{Problem.__name__}"}


def serve_document(app: FastAPI) -> None:
    """Let `app` answer `/openapi.json`. The document is made once, on a thread: it takes a tenth of a second."""
    made: list[bytes] = []
    making = asyncio.Lock()

    @app.get("/openapi.json", include_in_schema=False)
    @requires(Action.READ_PAGES)
    async def document() -> Response:
        async with making:
            if not made:
                made.append(await asyncio.to_thread(lambda: json.dumps(app.openapi(), ensure_ascii=False).encode()))
        return Response(made[0], media_type="application/json")
