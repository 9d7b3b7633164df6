"""`mien doctor`: what works, what is slow, what is missing, and the command that mends it."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import click

from mien.app.profiles import (
    USUAL_LONG_SIDE,
    Help,
    Means,
    ProfileName,
    ProfileSetting,
    Wanted,
    beginning,
    report_of,
)
from mien.cli.installation import how_to_compile
from mien.cli.listening import cautions, open_listeners
from mien.cli.measuring import costs_file, measure
from mien.cli.settings import read_settings, unwritable
from mien.config import Settings
from mien.errors import AddressError, MienError
from mien.processor import cores, processor_name

Verdict = Literal["works", "slow", "missing"]

_MARKS = {"works": "✓", "slow": "~", "missing": "✗"}
_MEANING: Final[dict[ProfileName, str]] = {
    "full": "frames as they come",
    "lean": "frames as they come, people recognised more rarely",
    "hd": "frames of at most 1280 pixels",
    "medium": "frames of at most 960 pixels",
    "small": "frames of at most 640 pixels",
    "slow": "at most 15 frames of 640 pixels a second",
    "slower": "at most 10 frames of 640 pixels a second",
    "mosaic": "at most 10 frames of 640 pixels a second, and no swaps",
}
_MENDS: Final[dict[Help, str]] = {
    "measure": "run mien doctor",
    "unset": "export MIEN_LIVE__PROFILE=auto",
    "mosaic": "use a mosaic instead of a swap",
    "send_smaller": "send smaller frames (640x360)",
    "fewer_broadcasts": "carry fewer broadcasts at once",
    "close_programs": "close other programs",
    "more_cores": "take more or faster cores",
}
_PACKAGES = ("aiortc", "av", "fastapi", "numpy", "onnx", "onnxruntime", "opencv-python-headless", "pillow", "tflite")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        subject: What.
        verdict: How it is.
        detail: In plain words.
        mend: What mends it; empty only where it works.
        vital: Whether nothing works without it.
        measured: Numbers and names behind the detail, for machines.
    """

    subject: str
    verdict: Verdict
    detail: str
    mend: str = ""
    vital: bool = False
    measured: Mapping[str, float | str] | None = None

    def __post_init__(self) -> None:
        if self.verdict != "works" and not self.mend:
            raise ValueError(f"{self.subject} is {self.verdict}: say what mends it")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Say what works, what is slow, what is missing and how to mend it.

    The exit code is 1 where something vital is missing.
    """
    settings = read_settings()
    findings = [finding for check in _CHECKS for finding in check(settings)]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        _print(findings)
    ctx.exit(1 if any(f.vital and f.verdict == "missing" for f in findings) else 0)


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        colour = {"works": "green", "slow": "yellow", "missing": "red"}[finding.verdict]
        mark = click.style(_MARKS[finding.verdict], fg=colour)
        click.echo(f"{mark} {finding.subject:<{width}}  {finding.detail}")
        if finding.mend:
            click.echo(f"  {'':<{width}}  → {finding.mend}")
    missing = sum(finding.verdict == "missing" for finding in findings)
    slow = sum(finding.verdict == "slow" for finding in findings)
    click.echo(
        "\nAll is well." if not missing + slow else f"\n{missing} missing, {slow} slow; the arrows say what helps."
    )


def _python(_settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", "works", f"{version}, mien {metadata.version('mien')}")
    absent = [name for name in _PACKAGES if not _installed(name)]
    if absent:
        yield Finding("packages", "missing", f"not installed: {', '.join(absent)}", "make install", vital=True)
    else:
        yield Finding("packages", "works", f"{len(_PACKAGES)} of {len(_PACKAGES)} installed")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _processor(_settings: Settings) -> Iterator[Finding]:
    usable = cores()
    if usable < 2:
        mend = "give this machine, container or affinity mask two cores or more (docker run --cpus 2)"
        said = "one core" if usable == 1 else f"{usable:.1f} cores"
        yield Finding("processor", "slow", f"{said}: live pictures will be dropped", mend)
    else:
        yield Finding("processor", "works", f"{usable:g} cores, {processor_name()}")


def _kernels(_settings: Settings) -> Iterator[Finding]:
    from mien.native import kernels  # noqa: PLC0415  # what is being checked

    if kernels is not None:
        yield Finding("kernels", "works", "compiled")
        return
    yield Finding("kernels", "slow", "not compiled for this machine: swaps and sending take longer", how_to_compile())


def _codecs(_settings: Settings) -> Iterator[Finding]:
    try:
        import av  # noqa: PLC0415  # heavy, and the thing being checked
    except ImportError as error:
        yield Finding("codecs", "missing", f"PyAV does not load: {error}", "make install", vital=True)
        return
    wanted = {"libvpx": "live pictures", "libopus": "live sound", "libx264": "MP4 files", "aac": "sound in MP4 files"}
    absent = [f"{codec} ({use})" for codec, use in wanted.items() if codec not in av.codecs_available]
    if absent:
        yield Finding("codecs", "missing", f"PyAV lacks {', '.join(absent)}", "pip install --force-reinstall av")
    else:
        yield Finding("codecs", "works", "VP8, Opus, H.264 and AAC can be written")


def _devices(settings: Settings) -> Iterator[Finding]:
    """Say which of the devices that the settings name can be opened."""
    from mien.media.codecs.devices import CodecDevice, decodes_on  # noqa: PLC0415  # heavy

    for device in map(CodecDevice, settings.live.codec_devices):
        try:
            decodes_on(device, "h264")
        except Exception as error:  # noqa: BLE001  # drivers fail in many ways
            mend = "install its driver, or take it out of MIEN_LIVE__CODEC_DEVICES; software does its work meanwhile"
            yield Finding(f"codecs on {device}", "slow", f"cannot be used: {type(error).__name__}", mend)
        else:
            yield Finding(f"codecs on {device}", "works", "H.264 can be decoded")


def _models(settings: Settings) -> Iterator[Finding]:
    from mien.registry.store import State, Store  # noqa: PLC0415  # heavy

    store = Store(settings.models_dir)
    absent = [card_id for card_id in store.default_ids if store.state(card_id) is not State.READY]
    if absent:
        yield Finding("models", "missing", f"not here: {', '.join(absent)}", "mien models pull", vital=True)
        return
    yield Finding("models", "works", f"{len(store.default_ids)} in {settings.models_dir}")
    yield from _speed(settings)


def _speed(settings: Settings) -> Iterator[Finding]:
    """Measure what a frame costs, keep that for the server, and say with which profile broadcasts will begin."""
    import cv2  # noqa: PLC0415  # heavy

    from mien.app.factory import VisionFactory  # noqa: PLC0415  # heavy
    from mien.registry.runtime import Runtime  # noqa: PLC0415  # heavy
    from mien.registry.store import Store  # noqa: PLC0415  # heavy

    cv2.setNumThreads(1)
    providers = settings.inference.providers
    try:
        factory = VisionFactory(Runtime(Store(settings.models_dir), providers=providers))
        factory.warm_up()
        costs = measure(factory, providers)
    except MienError as error:
        yield Finding("speed", "missing", str(error), "mien models verify", vital=True)
        return
    if costs is None:
        yield Finding("speed", "missing", "the networks see no face in a drawn frame", "mien models verify", vital=True)
        return
    costs_file(settings.models_dir, providers).write(costs)
    yield from speed_findings(settings.live.profile, Means(costs, cores()))


def speed_findings(setting: ProfileSetting, means: Means) -> Iterator[Finding]:
    """Say what was measured, and with which profile broadcasts of 1280x720 begin.

    Args:
        setting: The operator's profile.
        means: What was measured.
    """
    costs = means.costs
    if costs is None:
        return
    yield Finding(
        "speed",
        "works",
        f"a 720p frame takes {costs.mosaic_ms:.0f} ms with a mosaic, {costs.swap_ms:.0f} ms with a swap, "
        f"{costs.encode_ms:.1f} ms to encode",
        measured={**asdict(costs), "cores": means.cores},
    )
    for treatment, swaps in (("mosaic", False), ("swap", True)):
        wanted = Wanted(USUAL_LONG_SIDE, swaps=swaps)
        choice = beginning(setting, means, wanted)
        report = report_of(choice.step, choice.reason, means, wanted)
        detail = f"{report.name} ({report.reason}): {_MEANING[report.name]}"
        mend = " or ".join(_MENDS[each] for each in report.helps)
        yield Finding(f"live {treatment}", "slow" if mend else "works", detail, mend, measured={"profile": report.name})


def _pages(_settings: Settings) -> Iterator[Finding]:
    built = Path(__file__).parents[1] / "server" / "web" / "index.html"
    if built.is_file():
        yield Finding("pages", "works", "built")
        return
    mend = "make web" if shutil.which("npm") else "install Node.js 20 or newer, then: make web"
    yield Finding("pages", "missing", "the web pages are not built; files and the API work without", mend)


def _folders(settings: Settings) -> Iterator[Finding]:
    for use, folder in (("consent records", settings.data_dir), ("model cache", settings.models_dir)):
        variable = "MIEN_DATA_DIR" if folder == settings.data_dir else "MIEN_MODELS_DIR"
        if (reason := unwritable(folder)) is not None:
            mend = f"export {variable}=/a/folder/of/yours"
            yield Finding(use, "missing", f"{folder} cannot be written: {reason}", mend, vital=True)
            continue
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free_gb = shutil.disk_usage(existing).free / 1e9
        if free_gb < 1:
            mend = f"free some space, or export {variable}=/a/folder/on/another/disk"
            yield Finding(use, "slow", f"{folder}: only {free_gb:.1f} GB free", mend)
        else:
            yield Finding(use, "works", f"{folder}")


def _port(settings: Settings) -> Iterator[Finding]:
    try:
        for listener in open_listeners(settings.host, settings.port):
            listener.close()
    except AddressError as error:
        detail, _, mend = str(error).partition("; ")
        yield Finding("port", "missing", detail, mend or "mien serve --host 127.0.0.1 --port 8000")
        return
    yield Finding("port", "works", f"{settings.host}:{settings.port} is free")


def _reach(settings: Settings) -> Iterator[Finding]:
    """Say what will not work where the server listens to other machines."""
    for caution in cautions(settings):
        yield Finding(caution.subject, "missing" if caution.breaks else "works", caution.detail, caution.mend)


def _tests(_settings: Settings) -> Iterator[Finding]:
    names = ("chromium", "chromium-browser", "google-chrome")
    if any(shutil.which(name) for name in names):
        yield Finding("browser", "works", "Chromium is here, for the browser tests")
    else:
        detail = "no Chromium; only the browser tests need it"
        yield Finding("browser", "missing", detail, "apt-get install chromium")


_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python, _processor, _kernels, _codecs, _devices, _models, _pages, _folders, _port, _reach, _tests,
)  # fmt: skip
