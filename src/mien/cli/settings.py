"""Settings for the commands: read once, with a plain word about what is wrong."""

from pydantic import ValidationError

from mien.config import Settings
from mien.errors import SettingsError


def read_settings(**arguments: object) -> Settings:
    """Read the settings from the environment; arguments that are not None win.

    Raises:
        SettingsError: A setting is wrong.
    """
    try:
        return Settings.model_validate({name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"settings cannot be used: {faults}") from error
