"""The command line: the verbs of the API, no logic of its own.

One file for each command; it reads options, puts parts together and prints. It may import everything below it, and does
so late where that takes long.
"""

import importlib
import sys
import warnings
from typing import Any

import click

from mien.errors import ConsentError, InputError, MienError, SettingsError

# Loaded when called: `mien --help` must not wait for OpenCV and ONNX Runtime.
_COMMANDS = {
    "doctor": ("mien.cli.doctor", "doctor", "Say what works, what is slow, what is missing and how to mend it."),
    "models": ("mien.cli.models", "models", "List, fetch and check the networks."),
    "serve": ("mien.cli.serve", "serve", "Serve the pages, the API, WHIP and WHEP."),
    "worker": ("mien.cli.worker", "worker", ""),  # for `mien serve` alone
    "photo-worker": ("mien.cli.photo_worker", "photo_worker", ""),  # likewise
    "trace": ("mien.cli.trace", "trace", "Record what each thread of a broadcast does, and sum it up."),
    "treat": ("mien.cli.treat", "treat", "Swap, hide or show the faces in a picture or a video."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when they are listed."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(name for name, (_module, _attribute, line) in _COMMANDS.items() if line)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute, _help = _COMMANDS[name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][2]) for name in self.list_commands(ctx)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mien")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.pass_context
def group(ctx: click.Context, *, debug: bool) -> None:
    """Swap, hide or show the faces in live broadcasts, videos and pictures."""
    ctx.obj = {"debug": debug}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error that mien raises on purpose becomes one line and an exit code.

    Exit codes: 2 where the caller can mend it (input, settings, consent), 1 for the rest, 130 after Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # What Pillow finds odd in a file but reads, nobody can mend; what it cannot read becomes one of our errors.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        outcome: Any = group.main(arguments, prog_name="mien", standalone_mode=False)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except MienError as error:
        if "--debug" in arguments:
            raise
        # One line, though a file's name may hold several.
        click.echo(f"error[{error.code}]: {' '.join(str(error).split())}", err=True)
        sys.exit(2 if isinstance(error, InputError | SettingsError | ConsentError) else 1)
    sys.exit(outcome if isinstance(outcome, int) else 0)
