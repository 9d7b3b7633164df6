"""`mien treat`: swap, hide or show the faces in a picture or a video."""

import signal
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from mien.app.consent import BILINGUAL_STATEMENT, declare
from mien.app.face_photos import FacePhoto, Person, Reference
from mien.app.files.options import read_options, read_policy
from mien.app.files.spec import FileSpec, LabelLanguage
from mien.app.files.treat import FileLimits, Progress, TreatReport, check_files, treat_file
from mien.app.photos.advice import ADVICE, NEVER_RECOGNISED, SPOILS_RECOGNITION
from mien.cli.models import show_progress
from mien.cli.settings import read_settings
from mien.config import Settings
from mien.errors import ConsentError, MediaTooLargeError, PolicyError
from mien.media.files.images import MAX_IMAGE_PIXELS, is_still
from mien.registry.runtime import Runtime
from mien.registry.store import State, Store
from mien.storage.consents import JsonLinesConsentLedger
from mien.vision.photos.quality import PhotoIssue
from mien.vision.render.mosaic import MosaicShape, MosaicStyle

if TYPE_CHECKING:
    from mien.app.factory import VisionFactory

_USES = {
    "swap": ("to be swapped in", "이 얼굴로 바꿉니다"),
    "show": ("to be recognised and shown", "알아보고 그대로 보여 줍니다"),
    "recognise": ("to be recognised and swapped", "알아보고 바꿉니다"),
    "hide": ("to be recognised and hidden", "알아보고 가립니다"),
}
_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("source", metavar="IN", type=_PATH)
@click.argument("target", metavar="OUT", type=_PATH)
@click.option("--mosaic", is_flag=True, help="Hide everybody whom no other option names.")
@click.option(
    "--swap-to",
    metavar="PHOTO|MASK",
    multiple=True,
    help="A photo, a folder of up to 5 of one face, or mask:volto, mask:marble, mask:painted. Repeat for more photos.",
)
@click.option("--show", type=_PATH, multiple=True, help="A photo or folder of one person to leave as they are.")
@click.option("--swap-only", type=_PATH, multiple=True, help="Swap only the person in this photo or folder.")
@click.option("--mosaic-style", type=click.Choice([*map(str, MosaicStyle)]), help="How hidden faces are painted over.")
@click.option(
    "--mosaic-shape", type=click.Choice([*map(str, MosaicShape)]), help="A box, or the head with hair line and ears."
)
@click.option(
    "--policy",
    metavar="FILE",
    type=_PATH,
    help="A policy document (JSON) in place of the options that say who gets what.",
)
@click.option(
    "--person", metavar="ID=PATH", multiple=True, help="With --policy: a photo or folder of a person that it names."
)
@click.option(
    "--reference",
    metavar="ID=PATH",
    multiple=True,
    help="With --policy: a photo or folder of reference:ID that it swaps to. Repeat for more photos.",
)
@click.option("--owner-agrees", metavar="NAME", help="Your name: you declare that the people in the photos agreed.")
@click.option("--label", type=click.Choice(["en", "ko", "both"]), default="both", show_default=True)
@click.option("--shape", type=click.FloatRange(0, 1), help="How far a swap takes on the photo's face shape.")
@click.option("--delay", type=click.IntRange(0, 30), help="Frames to look ahead, so that new faces are hidden at once.")
@click.option(
    "--max-megapixels",
    type=click.FloatRange(0, MAX_IMAGE_PIXELS / 1e6, min_open=True),
    default=MAX_IMAGE_PIXELS / 1e6,
    show_default=True,
    help="The largest picture to read, in millions of pixels.",
)
@click.option("--force", is_flag=True, help="Replace OUT where it exists.")
def treat(
    source: Path,
    target: Path,
    *,
    mosaic: bool,
    swap_to: tuple[str, ...],
    show: tuple[Path, ...],
    swap_only: tuple[Path, ...],
    mosaic_style: str | None,
    mosaic_shape: str | None,
    shape: float | None,
    policy: Path | None,
    person: tuple[str, ...],
    reference: tuple[str, ...],
    owner_agrees: str | None,
    label: LabelLanguage,
    delay: int | None,
    max_megapixels: float,
    force: bool,
) -> None:
    """Treat every face in IN, a picture or a video, and write the result to OUT.

    \b
    --mosaic                    everybody is hidden
    --swap-to X                 everybody becomes X
    --swap-to X --mosaic        who is largest at first becomes X, the others are hidden
    --show A [--show B]         A and B stay once surely recognised, the others are hidden
    --show A --swap-to X        A stays, the others become X
    --swap-only A --swap-to X   A becomes X, the others are hidden
    --policy FILE               as the policy document says, see docs/reference/policy.md

    Whoever is in doubt is hidden. Every altered picture is labelled.
    """  # noqa: D301  # the backspace keeps click from joining the lines
    check_files(source, target, overwrite=force)
    settings = read_settings()
    style, head = mosaic_style or settings.mosaic.style, mosaic_shape or settings.mosaic.shape
    if policy is None:
        if person or reference:
            raise PolicyError("person and reference name photos for the document that --policy names; there is none")
        spec = read_options(
            mosaic=mosaic,
            swap_to=swap_to,
            show=show,
            swap_only=swap_only,
            shape=shape,
            mosaic_style=style,
            mosaic_shape=head,
            delay_frames=delay,
            label=label,
        )
    elif mosaic or swap_to or show or swap_only or mosaic_style or mosaic_shape or shape is not None:
        raise PolicyError("the policy document says who gets what; --policy goes with no other option that does")
    else:
        spec = read_policy(
            policy,
            people=person,
            references=reference,
            mosaic_style=style,
            mosaic_shape=head,
            delay_frames=delay,
            label=label,
        )
    _treat(source, target, spec, settings, owner_agrees=owner_agrees, max_megapixels=max_megapixels, force=force)


def _treat(
    source: Path,
    target: Path,
    spec: FileSpec,
    settings: Settings,
    *,
    owner_agrees: str | None,
    max_megapixels: float,
    force: bool,
) -> None:
    if spec.references:
        ledger = JsonLinesConsentLedger(settings.data_dir / "consents.jsonl")
        declare(spec.references, declared_by=owner_agrees or _ask(spec.references), ledger=ledger)
    vision = _load_models(settings)
    _advise(vision, spec.swap_photos)
    with stopping_on_terminate(), _telling_how_to_read_more(source), _progress_bar() as progress:
        report = treat_file(
            source,
            target,
            lambda *, still, fps: vision.pipeline(spec, still=still, fps=fps),
            overwrite=force,
            progress=progress,
            limits=FileLimits(image_pixels=round(max_megapixels * 1e6)),
        )
    _print(report, target)
    _advise_on_the_unknown(vision, spec.recognised, report)


def _ask(references: Sequence[Reference]) -> str:
    """Show what is to be declared and return the name of who declares it.

    Raises:
        ConsentError: Nobody is there to ask, or they do not declare it.
    """
    names = ", ".join(dict.fromkeys(reference.photo.name for reference in references))
    if not sys.stdin.isatty():
        raise ConsentError(
            f"{names}: the people in these photos must have agreed; if they did, say so with --owner-agrees YOUR_NAME"
        )
    click.echo("These photos of people are used / 다음 인물 사진을 씁니다:", err=True)
    for reference in references:
        english, korean = _USES[reference.use]
        click.echo(f"  {reference.photo.name}: {english} / {korean}", err=True)
    click.echo(BILINGUAL_STATEMENT, err=True)
    if not click.confirm("Do you declare this for each of them? / 각 사진에 대해 이를 확인합니까?", err=True):
        raise ConsentError(f"{names}: without the consent of the people in the photos nothing is done")
    name: str = click.prompt("Your name / 이름", err=True)
    return name


def _advise(
    vision: "VisionFactory", photos: Sequence[FacePhoto], *, about: Collection[PhotoIssue] = tuple(PhotoIssue)
) -> None:
    """Say what would make photos better references; a photo that cannot serve at all is refused soon, in one line."""
    for photo in photos:
        for finding in vision.assessor.assess_photo(photo.image):
            if finding.severity == "warn" and PhotoIssue(finding.code) in about:
                advice = ADVICE[PhotoIssue(finding.code)]
                click.echo(f"{photo.name}: {advice['en']} / {advice['ko']}", err=True)


def _advise_on_the_unknown(vision: "VisionFactory", people: Sequence[Person], report: TreatReport) -> None:
    """Say who was never recognised, and what would make their photos easier to know them by."""
    for person in people:
        if person.name not in report.recognised:
            click.echo(f"note: {person.name} {NEVER_RECOGNISED['en']} / {NEVER_RECOGNISED['ko']}", err=True)
            _advise(vision, person.photos, about=SPOILS_RECOGNITION)


def _load_models(settings: Settings) -> "VisionFactory":
    from mien.app.factory import VisionFactory  # noqa: PLC0415  # takes a second; refusals need not wait
    from mien.app.models import DEFAULT_MODELS  # noqa: PLC0415  # as above

    store = Store(settings.models_dir)
    if any(store.state(card_id) is not State.READY for card_id in DEFAULT_MODELS):
        with show_progress() as report:
            store.ensure(DEFAULT_MODELS, progress=report)
    return VisionFactory(Runtime(store, providers=settings.inference.providers))


@contextmanager
def _progress_bar() -> Iterator["_Follow"]:
    """Show frames, speed and time left while a video is treated; nothing where nobody looks."""
    with ProgressBar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[fps]:.1f} fps"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        yield _Follow(bar)


@contextmanager
def _telling_how_to_read_more(source: Path) -> Iterator[None]:
    """Name the option that lets a large picture in."""
    try:
        yield
    except MediaTooLargeError as error:
        if is_still(source):
            raise MediaTooLargeError(f"{error}; --max-megapixels lets larger ones in") from error
        raise


class _Follow:
    """Moves a bar along with a job."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def __call__(self, progress: Progress) -> None:
        """Show how far the job is."""
        fps = progress.frames / progress.elapsed_s if progress.elapsed_s > 0 else 0.0
        if self._task is None:
            self._task = self._bar.add_task("treating", fps=fps)
        # A file may hold more frames than it promised.
        total = None if progress.frames_expected is None else max(progress.frames_expected, progress.frames)
        self._bar.update(self._task, completed=progress.frames, total=total, fps=fps)


@contextmanager
def stopping_on_terminate() -> Iterator[None]:
    """Let a request to end stop the job as Ctrl-C does, so that nothing half-written stays."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(report: TreatReport, target: Path) -> None:
    width, height = report.size_wh
    faces = ", ".join(f"{name} {count}" for name, count in sorted(report.faces.items())) or "none"
    if report.kind == "image":
        click.echo(f"{target}: {width}x{height}, faces: {faces}")
    else:
        click.echo(
            f"{target}: {report.frames} frames of {width}x{height}, {report.seconds:.1f} s, "
            f"treated in {report.elapsed_s:.1f} s ({report.fps:.1f} fps)"
        )
        click.echo(f"faces, summed over the frames: {faces}")
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
