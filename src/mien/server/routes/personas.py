"""`/api/personas` and `/api/references`: the faces that can be swapped in."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel, Field

from mien.server.access import check_operator
from mien.sessions.consent import BILINGUAL_STATEMENT, Language
from mien.sessions.ports import PipelineFactory
from mien.sessions.references import References

router = APIRouter(prefix="/api", tags=["personas"])


class TitleOut(BaseModel):
    """A name in both languages."""

    en: str = Field(description="English.")
    ko: str = Field(description="Korean.")


class PersonaOut(BaseModel):
    """A face that can be swapped in."""

    id: str = Field(description="For `persona` of a broadcast.")
    kind: str = Field(description="`mask` for one that mien draws itself.")
    title: TitleOut = Field(description="Its name.")
    preview_url: str = Field(description="A JPEG of it.")


class ReferenceOut(BaseModel):
    """A photo that was taken as a persona."""

    id: str = Field(description="For `persona` of a broadcast.")
    notes: list[str] = Field(description="What could be better about the photo.")


@router.get("/personas")
async def list_personas(request: Request) -> list[PersonaOut]:
    """List the built-in personas."""
    cards = await asyncio.to_thread(lambda: _eyes(request).personas())
    return [
        PersonaOut(
            id=card.id,
            kind=card.kind,
            title=TitleOut(en=card.title_en, ko=card.title_ko),
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
    photo: UploadFile,
    owner_agrees: Annotated[bool, Form(description=BILINGUAL_STATEMENT)] = False,  # noqa: FBT002  # a form field, not an argument
    declared_by: Annotated[str, Form(max_length=100, description="Who declares it.")] = "",
    language: Annotated[Language, Form(description="In which language the declaration was shown.")] = "en",
) -> ReferenceOut:
    """Take a photo as a persona, with the declaration that its owner agreed. It is kept in memory only."""
    references: References = request.app.state.references
    data = await photo.read()

    def add() -> tuple[str, tuple[str, ...]]:
        return references.add(
            data, owner_agrees=owner_agrees, declared_by=declared_by, language=language, factory=_eyes(request)
        )

    persona_id, notes = await asyncio.to_thread(add)
    return ReferenceOut(id=persona_id, notes=list(notes))


def _eyes(request: Request) -> PipelineFactory:
    factory: PipelineFactory = request.app.state.eyes()
    return factory
