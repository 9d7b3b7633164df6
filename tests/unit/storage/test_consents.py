"""The ledger of declarations on disk."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mien.app.repositories import Declaration
from mien.errors import OutputError
from mien.storage.consents import JsonLinesConsentLedger

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def declaration(digest: str = "ab" * 32, by: str = "김민지") -> Declaration:
    return Declaration(digest, "swap", by, "The person agreed.", AT)


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_declaration_is_one_line_of_json_without_the_photo(tmp_path):
    path = tmp_path / "mien" / "consents.jsonl"
    JsonLinesConsentLedger(path).record([declaration()])
    assert lines(path) == [
        {
            "at": "2026-11-21T09:30:00.000+00:00",
            "use": "swap",
            "photo_sha256": "ab" * 32,
            "declared_by": "김민지",
            "statement": "The person agreed.",
        }
    ]


def test_only_its_owner_may_read_it(tmp_path):
    path = tmp_path / "mien" / "consents.jsonl"
    JsonLinesConsentLedger(path).record([declaration()])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_lines_are_added_and_never_changed(tmp_path):
    path = tmp_path / "consents.jsonl"
    JsonLinesConsentLedger(path).record([declaration("01" * 32)])
    first = path.read_bytes()
    JsonLinesConsentLedger(path).record([declaration("02" * 32), declaration("03" * 32)])
    assert path.read_bytes().startswith(first)
    assert [line["photo_sha256"][:2] for line in lines(path)] == ["01", "02", "03"]


def test_a_name_cannot_break_out_of_its_line(tmp_path):
    path = tmp_path / "consents.jsonl"
    JsonLinesConsentLedger(path).record([declaration(by='x"}\n{"use": "forged')])
    assert [line["declared_by"] for line in lines(path)] == ['x"}\n{"use": "forged']


def test_many_writers_at_once_lose_nothing(tmp_path):
    path = tmp_path / "consents.jsonl"

    def write(index: int) -> None:
        JsonLinesConsentLedger(path).record([declaration(f"{index:064x}")] * 3)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    digests = [line["photo_sha256"] for line in lines(path)]
    assert len(digests) == 120
    assert all(digests[i] == digests[i + 1] == digests[i + 2] for i in range(0, 120, 3))


@pytest.mark.parametrize("obstacle", ["folder", "file as folder", "full disk"])
def test_what_cannot_be_recorded_is_an_error(tmp_path, obstacle):
    path = {
        "folder": tmp_path,
        "file as folder": tmp_path / "file" / "consents.jsonl",
        "full disk": Path("/dev/full"),
    }[obstacle]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be recorded"):
        JsonLinesConsentLedger(path).record([declaration()])


def test_a_ledger_that_others_could_read_is_closed(tmp_path):
    path = tmp_path / "consents.jsonl"
    path.write_text("")
    path.chmod(0o644)
    JsonLinesConsentLedger(path).record([])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
