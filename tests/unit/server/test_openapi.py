"""The page's API types are generated from a file; the file must be the server's own document."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
EXPORT = ROOT / "scripts" / "export_openapi.py"
OPENAPI_FILE = ROOT / "web" / "openapi.json"


def test_the_committed_openapi_document_is_the_servers_own():
    checked = subprocess.run([sys.executable, str(EXPORT), "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_document_names_every_verb_that_the_pages_use():
    paths = json.loads(OPENAPI_FILE.read_text(encoding="utf-8"))["paths"]
    verbs = {(verb, path) for path, operations in paths.items() for verb in operations}
    assert verbs >= {
        ("get", "/api/broadcasts"),
        ("post", "/api/broadcasts"),
        ("get", "/api/broadcasts/{broadcast_id}"),
        ("patch", "/api/broadcasts/{broadcast_id}"),
        ("delete", "/api/broadcasts/{broadcast_id}"),
        ("post", "/api/broadcasts/{broadcast_id}/end"),
        ("get", "/api/personas"),
        ("post", "/api/references"),
    }
