"""What a frame costs on this machine, kept beside the models so that a restart need not measure it again."""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mien.app.profiles import Costs

log = structlog.get_logger()

FILE: Final = ".costs.json"
_MAX_BYTES: Final = 4096

_Cost = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Kept(BaseModel):
    """The file. What does not fit is no file: it is measured anew."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: str
    mosaic_ms: _Cost
    swap_ms: _Cost
    encode_ms: _Cost


class CostsFile:
    """Costs in a file.

    Args:
        path: The file.
        of: What they depend on, such as the processor and versions. Costs that were measured where any of it was
            another are not known here.
    """

    def __init__(self, path: Path, *, of: Mapping[str, str]) -> None:
        self._path = path
        self._key = hashlib.sha256(json.dumps(dict(of), sort_keys=True).encode()).hexdigest()

    def read(self) -> Costs | None:
        """Return what was measured here; None where nothing was, or the file is not what was written."""
        try:
            # Not to wait for what is no file, as a pipe.
            file = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                data = os.read(file, _MAX_BYTES + 1)
            finally:
                os.close(file)
            if len(data) > _MAX_BYTES:
                return None
            kept = _Kept.model_validate_json(data)
            if kept.key != self._key:
                return None
            return Costs(kept.mosaic_ms, kept.swap_ms, kept.encode_ms)
        except (OSError, ValidationError, ValueError, RecursionError):
            return None

    def write(self, costs: Costs) -> bool:
        """Keep costs, whole or not at all; return whether that was possible."""
        kept = _Kept(
            key=self._key,
            mosaic_ms=costs.mosaic_ms,
            swap_ms=costs.swap_ms,
            encode_ms=costs.encode_ms,
        )
        draft = self._path.with_name(f"{FILE}.{secrets.token_hex(8)}")
        try:
            with draft.open("xb") as file:  # readable to whom the umask lets read, as the models beside it
                file.write(kept.model_dump_json(indent=2).encode() + b"\n")
            draft.replace(self._path)
        except OSError as error:
            log.warning("costs_not_kept", reason=error.strerror or str(error))
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            return False
        return True
