"""`/api/personas` and `/api/references`: the faces that can be swapped in, and people to be known."""

import asyncio
from contextlib import AbstractContextManager
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel, Field

from mien.app.access import Action
from mien.app.consent import BILINGUAL_STATEMENT, Language
from mien.app.face_photos import MAX_PHOTOS_OF_A_PERSONA, LentFor
from mien.app.personas.store import MAX_NAME_LENGTH
from mien.app.photos.advice import ADVICE
from mien.errors import PersonaError
from mien.server.dependencies import BroadcastsDep, ExchangesDep, ModelsDep, PersonasDep, RunnerDep, services_of
from mien.server.guards import GuardedRoute, requires
from mien.server.paths import OwnPath
from mien.server.photos import PhotoOut, TextOut, photos_out
from mien.server.problems import HttpError
from mien.vision.photos.quality import PhotoIssue

router = APIRouter(prefix="/api", tags=["personas"], route_class=GuardedRoute)

_MAX_PARTS: Final = 16


def _one_of_few(request: Request) -> AbstractContextManager[None]:
    return services_of(request).uploads.taken()


class PersonaOut(BaseModel):
    """A face that can be swapped in."""

    id: str = Field(description="For `persona` in a policy.")
    kind: str = Field(description="`mask` for one that mien draws itself.")
    title: TextOut = Field(description="Its name.")
    preview_url: OwnPath = Field(description="A JPEG of it.")


class ReferenceOut(BaseModel):
    """Photos of one face that were taken, as a persona or for the person to be known by."""

    id: str = Field(description="For `persona` in a policy, or of a person as the `id` of a subject.")
    use: LentFor = Field(description="As it was asked.")
    name: str = Field(description="What the owner calls the person; empty for a persona.")
    notes: list[str] = Field(description="What could be better, as sentences in the language of the declaration.")
    photos: list[PhotoOut] = Field(description="What was found in each photo, in the order of the form.")


@router.get("/personas")
@requires(Action.SEE_PERSONAS)
async def list_personas(models: ModelsDep) -> list[PersonaOut]:
    """List the built-in personas."""
    cards = await asyncio.to_thread(lambda: models().personas())
    return [
        PersonaOut(
            id=card.id,
            kind=card.kind,
            title=TextOut(en=card.title_en, ko=card.title_ko),
            preview_url=f"/api/personas/{card.id}/preview.jpg",
        )
        for card in cards
    ]


@router.get("/personas/{persona_id}/preview.jpg", response_class=Response)
@requires(Action.SEE_PERSONAS)
async def preview_persona(models: ModelsDep, persona_id: str) -> Response:
    """Show a built-in persona."""
    jpeg = await asyncio.to_thread(lambda: models().persona_preview(persona_id))
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "public, max-age=86400"})


@router.post(
    "/references",
    status_code=HTTPStatus.CREATED,
    form_limits={"max_files": _MAX_PARTS, "max_fields": _MAX_PARTS},  # each costs the event loop some microseconds
)
@requires(Action.LEND_PHOTOS, _one_of_few)
async def add_reference(
    personas: PersonasDep,
    runner: RunnerDep,
    photo: Annotated[
        list[UploadFile],
        File(
            description="A photo; repeat the field for more of the same face.",
            json_schema_extra={"maxItems": MAX_PHOTOS_OF_A_PERSONA},  # said, and refused with a code of its own
        ),
    ],
    owner_agrees: Annotated[bool, Form(description=BILINGUAL_STATEMENT)] = False,  # noqa: FBT002  # a form field, not an argument
    declared_by: Annotated[str, Form(max_length=100, description="Who declares it.")] = "",
    language: Annotated[Language, Form(description="In which language the declaration was shown.")] = "en",
    use: Annotated[
        LentFor, Form(description="`swap`: as a persona; `show`: for the person to be known, and shown by a policy.")
    ] = "swap",
    name: Annotated[
        str, Form(max_length=MAX_NAME_LENGTH, description="What to call a person who is to be known; for the owner.")
    ] = "",
) -> ReferenceOut:
    """Take photos of one face, with the declaration that its owner agreed. They stay in memory only.

    Photos that cannot serve are refused with a problem whose `photos` says what was found in each.
    """
    data = [await one.read() for one in photo[: MAX_PHOTOS_OF_A_PERSONA + 1]]

    persona_id, findings = await personas.add(
        data,
        owner_agrees=owner_agrees,
        declared_by=declared_by,
        language=language,
        read=partial(runner.read_reference, use=use),
        use=use,
        name=name,
    )
    codes = dict.fromkeys(PhotoIssue(finding.code) for found in findings for finding in found)
    return ReferenceOut(
        id=persona_id,
        use=use,
        name=name.strip() if use == "show" else "",
        notes=[ADVICE[code][language] for code in codes],
        photos=photos_out(findings),
    )


@router.delete("/references/{persona_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Action.LEND_PHOTOS)
async def forget_reference(broadcasts: BroadcastsDep, exchanges: ExchangesDep, persona_id: str) -> None:
    """Forget photos at once; broadcasts that wear or show the face go on with a mosaic, exchanges of frames end."""
    try:
        await broadcasts.withdraw(persona_id)
    except PersonaError as error:
        raise HttpError(HTTPStatus.NOT_FOUND, str(error), code=error.code) from error
    finally:
        exchanges.take_off(persona_id)
