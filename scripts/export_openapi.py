"""Write the server's OpenAPI document to `web/openapi.json`, from which the page's types are generated.

Run it after a change to the API; `--check` only says whether the file is up to date.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mien.app.ports import PipelineFactory
from mien.app.repositories import Declaration
from mien.config import Settings
from mien.errors import ModelError, OutputError
from mien.runners.local import LocalRunner
from mien.server.app import create_app

OPENAPI_FILE = Path(__file__).parents[1] / "web" / "openapi.json"


class NoLedger:
    """Keeps nothing: nobody declares anything while a document is written."""

    def record(self, declarations: Sequence[Declaration]) -> None:
        """Refuse.

        Raises:
            OutputError: Always.
        """
        raise OutputError(f"the document needs no declarations, got {len(declarations)}")


def document() -> str:
    settings = Settings.model_construct()  # the defaults alone: the document must not depend on this machine
    app = create_app(
        settings,
        load_models=_no_eyes,
        open_runner=lambda limits, ice_servers: LocalRunner(_no_eyes, limits=limits, ice_servers=ice_servers),
        consents=NoLedger(),
        web_dir=Path("no-such-folder"),
    )
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the file is stale")
    if not parser.parse_args().check:
        OPENAPI_FILE.write_text(document(), encoding="utf-8")
        return 0
    if OPENAPI_FILE.read_text(encoding="utf-8") == document():
        return 0
    print(f"{OPENAPI_FILE.name} is stale: run python scripts/export_openapi.py", file=sys.stderr)
    return 1


def _no_eyes() -> PipelineFactory:
    raise ModelError("the document needs no models")


if __name__ == "__main__":
    sys.exit(main())
