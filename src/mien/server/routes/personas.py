"""`/api/personas` and `/api/references`: the faces that can be swapped in."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel, Field

from mien.server.access import check_operator
from mien.server.paths import OwnPath
from mien.server.photos import PhotoOut, TextOut, photos_out
from mien.sessions.advice import ADVICE
from mien.sessions.consent import BILINGUAL_STATEMENT, Language
from mien.sessions.ports import PipelineFactory
from mien.sessions.references import Findings, References
from mien.sessions.wishes import MAX_PHOTOS_OF_A_PERSONA
from mien.vision.coach import Fault

router = APIRouter(prefix="/api", tags=["personas"])


class PersonaOut(BaseModel):
    """A face that can be swapped in."""

    id: str = Field(description="For `persona` of a broadcast.")
    kind: str = Field(description="`mask` for one that mien draws itself.")
    title: TextOut = Field(description="Its name.")
    preview_url: OwnPath = Field(description="A JPEG of it.")


class ReferenceOut(BaseModel):
    """Photos of one face that were taken as a persona."""

    id: str = Field(description="For `persona` of a broadcast.")
    notes: list[str] = Field(description="What could be better, as sentences in the language of the declaration.")
    photos: list[PhotoOut] = Field(description="What was found in each photo, in the order of the form.")


@router.get("/personas")
async def list_personas(request: Request) -> list[PersonaOut]:
    """List the built-in personas."""
    cards = await asyncio.to_thread(lambda: _eyes(request).personas())
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
async def preview_persona(request: Request, persona_id: str) -> Response:
    """Show a built-in persona."""
    jpeg = await asyncio.to_thread(lambda: _eyes(request).persona_preview(persona_id))
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "public, max-age=86400"})


@router.post("/references", status_code=HTTPStatus.CREATED, dependencies=[Depends(check_operator)])
async def add_reference(
    request: Request,
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
) -> ReferenceOut:
    """Take photos of one face as a persona, with the declaration that its owner agreed. They stay in memory only.

    Photos that cannot serve are refused with a problem whose `photos` says what was found in each.
    """
    references: References = request.app.state.references
    data = [await one.read() for one in photo[: MAX_PHOTOS_OF_A_PERSONA + 1]]

    def add() -> tuple[str, Findings]:
        return references.add(
            data, owner_agrees=owner_agrees, declared_by=declared_by, language=language, factory=_eyes(request)
        )

    persona_id, findings = await asyncio.to_thread(add)
    codes = dict.fromkeys(Fault(finding.code) for found in findings for finding in found)
    return ReferenceOut(id=persona_id, notes=[ADVICE[code][language] for code in codes], photos=photos_out(findings))


def _eyes(request: Request) -> PipelineFactory:
    factory: PipelineFactory = request.app.state.eyes()
    return factory
