"""Settings for the commands: read once, with a plain word about what is wrong."""

import difflib
import itertools
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from mien.config import Settings
from mien.errors import SettingsError
from mien.setting_forms import LIST_FORM

_ALIKE: Final = 0.85
"""How alike a variable and a setting are (`difflib`) when the one is surely meant to be the other."""


def read_settings(**arguments: object) -> Settings:
    """Read the settings from the environment; arguments that are not None win.

    Raises:
        SettingsError: A setting is wrong, or a variable is nearly one.
    """
    _check_names(os.environ)
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(_fault(fault["loc"], fault["msg"], given) for fault in error.errors())
        raise SettingsError(f"settings cannot be used: {faults}") from error


def _fault(place: tuple[int | str, ...], fault: str, arguments: Collection[str]) -> str:
    """Say what is wrong with which option or variable, and the form of a list where one of its entries is wrong."""
    if not place:  # a variable that could not even be decoded
        return f"{fault}; wanted JSON"
    names = list(itertools.takewhile(lambda part: isinstance(part, str), place))
    if len(names) == 1 and names[0] in arguments:
        return f"--{str(names[0]).replace('_', '-')}: {fault}"
    variable = (str(Settings.model_config["env_prefix"]) + "__".join(map(str, names))).upper()
    return f"{variable}: {fault}" + (f"; wanted {LIST_FORM}" if place[len(names) :] else "")


def check_data_folder(folder: Path) -> None:
    """Let a folder pass in which declarations of consent and recordings can be kept.

    Raises:
        SettingsError: Nothing can be written there, or it cannot be made.
    """
    if (reason := unwritable(folder)) is not None:
        raise SettingsError(f"{folder} cannot be written: {reason}; export MIEN_DATA_DIR=/a/folder/of/yours")


def unwritable(folder: Path) -> str | None:
    """Return why nothing can be written to a folder, or to the nearest above it that is there; None where it can."""
    try:
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        with tempfile.TemporaryFile(dir=existing):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _check_names(variables: Iterable[str]) -> None:
    """Refuse misspelt variables: ignored, one would leave recordings allowed, or a server without its token.

    Names below a group are checked with their values; a variable that is like no setting may be another program's.
    """
    prefix = str(Settings.model_config["env_prefix"])
    known = list(_names(Settings, prefix))
    groups = {f"{prefix}{name}".upper() for name in Settings.model_fields}
    for variable in variables:
        name = variable.upper()
        if not name.startswith(prefix) or name.split("__")[0] in groups:
            continue
        for meant in difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE):
            raise SettingsError(f"{variable} is no setting; {meant} is one")


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        full = f"{prefix}{name}".upper()
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _names(inner, f"{full}__")
        else:
            yield full
