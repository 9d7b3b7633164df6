"""The API as its OpenAPI document says: every route is asked all that it allows, and much that it does not."""

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from support.live import serving
from support.pipelines import SmallFactory

OPERATOR = "operator-token-0123456789"
CHECKS = ("status_code_conformance", "content_type_conformance", "response_schema_conformance", "unsupported_method")


async def ask_everything(client: httpx.AsyncClient, folder: Path, *more: str, config: str = "") -> tuple[int, str]:
    """Let schemathesis ask the server; return its exit code and what it said."""
    (folder / "schemathesis.toml").write_text(config, encoding="utf-8")
    asked = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{client.base_url}/openapi.json"),
        *("--checks", ",".join(CHECKS), "--max-examples", "8", "--seed", "11", "--no-color"),
        *("--generation-database", "none", "--warnings", "off", *more),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await asked.communicate())[0].decode()
    return asked.returncode or 0, said


@pytest.mark.timeout(600)
async def test_every_answer_is_one_that_the_document_names(tmp_path):
    async with serving(SmallFactory(), whip_token=OPERATOR, data_dir=tmp_path) as client:
        code, said = await ask_everything(
            client, tmp_path, "--phases", "coverage,fuzzing", "--header", f"Authorization: Bearer {OPERATOR}"
        )
    assert code == 0, said[-8000:]
    assert "Test cases" in said


@pytest.mark.timeout(600)
async def test_the_owner_of_a_broadcast_gets_only_such_answers_too(tmp_path):
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    async with serving(SmallFactory(), whip_token=OPERATOR, data_dir=tmp_path) as client:
        made = (await client.post("/api/broadcasts", json={}, headers=headers)).json()
        code, said = await ask_everything(
            client,
            tmp_path,
            *("--phases", "fuzzing", "--include-path-regex", r"\{broadcast_id\}", "--exclude-method", "DELETE"),
            *("--exclude-path-regex", "/end$", "--header", f"Authorization: Bearer {made['token']}"),
            config=f'[parameters]\n"path.broadcast_id" = "{made["id"]}"\n',
        )
        still_there = await client.get(f"/api/broadcasts/{made['id']}")
    assert code == 0, said[-8000:]
    assert still_there.status_code == 200
