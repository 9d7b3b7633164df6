"""`mien models`: which networks there are, where they come from, and whether they are here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mien.cli.settings import read_settings
from mien.errors import FetchError, ModelError
from mien.inference.card import Card, InputContract, TensorContract
from mien.registry.progress import Report, Step
from mien.registry.store import State, Store

_STATES = {
    State.READY: "here",
    State.ABSENT: "not here",
    State.OUTDATED: "outdated",
    State.DAMAGED: "damaged",
}


@click.group()
def models() -> None:
    """List, fetch and check the networks."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(*, as_json: bool) -> None:
    """List every card: what it is for, its licence, its size, and whether it is here."""
    store = _store()
    rows = [_summary(store, card) for card in store.cards.values()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        default = "default" if row["default"] else ""
        size = f"{row['bytes'] / 1e6:.1f} MB"
        click.echo(
            f"{row['id']:<{width}}  {row['use']:<9}  {row['licence']:<10}  {size:>8}  {row['state']:<8}  {default}"
        )


@models.command()
@click.argument("names", nargs=-1)
def pull(names: tuple[str, ...]) -> None:
    """Fetch, convert and check NAMES, or the default models; what is here already stays."""
    store = _store()
    wanted = [store.card(name).id for name in names] or store.default_ids
    with show_progress() as report:
        store.ensure(wanted, progress=report)
    click.echo(f"{len(wanted)} models ready in {store.directory}")


@models.command()
@click.argument("names", nargs=-1)
@click.pass_context
def verify(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Read NAMES, or every model that is here, again: digest, contract, one run. Exit code 1 if any fails."""
    store = _store()
    wanted = list(names) or [card_id for card_id in store.cards if store.state(card_id) is not State.ABSENT]
    if not wanted:
        raise FetchError(f"no model is in {store.directory}; run: mien models pull")
    failed = False
    for card_id in wanted:
        try:
            store.verify(card_id)
        except ModelError as error:
            failed = True
            click.echo(f"{card_id}: error[{error.code}]: {error}", err=True)
        else:
            click.echo(f"{card_id}: whole, and keeps its contract")
    ctx.exit(1 if failed else 0)


@models.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(name: str, *, as_json: bool) -> None:
    """Tell all that is known about one model: origin, licence, limits, what goes in and comes out."""
    store = _store()
    card = store.card(name)
    if as_json:
        click.echo(json.dumps(_summary(store, card) | card.model_dump(mode="json"), indent=2))
        return
    click.echo(f"{card.title}  ({card.id}, {card.use}, {_STATES[store.state(name)]})")
    click.echo(f"licence     {card.licence}")
    click.echo(f"provenance  {card.provenance}")
    for limit in card.limits:
        click.echo(f"limit       {limit}")
    for taken in card.takes:
        click.echo(f"takes       {_takes(taken)}")
    for output in card.outputs:
        click.echo(f"gives       {output.name} {list(output.shape)}: {output.meaning}")
    for source in card.sources:
        click.echo(f"source      {source.package}" + (f", {source.member}" if source.member else ""))
    click.echo(f"sha256      {card.weights.sha256}")
    click.echo(f"place       {store.place(name)}")


def _takes(taken: InputContract | TensorContract) -> str:
    if isinstance(taken, TensorContract):
        return f"{taken.name} {list(taken.shape)} {taken.dtype}: {taken.meaning}"
    size = "any size" if taken.size_wh is None else "{} x {}".format(*taken.size_wh)
    return f"{taken.layout} {taken.colour}, {size}, (pixels - {taken.mean}) / {taken.scale}"


def _store() -> Store:
    return Store(read_settings().models_dir)


def _summary(store: Store, card: Card) -> dict[str, Any]:
    return {
        "id": card.id,
        "title": card.title,
        "use": card.use,
        "licence": card.licence,
        "bytes": card.weights.bytes,
        "default": card.default,
        "state": _STATES[store.state(card.id)],
        "path": str(store.place(card.id)),
    }


@contextmanager
def show_progress() -> Iterator[Report]:
    """Show a bar for each package being fetched, and a line for each card."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(step: Step) -> None:
            if step.stage == "fetch":
                if step.subject not in tasks:
                    tasks[step.subject] = bars.add_task(f"fetch {step.subject}", total=step.total_bytes)
                bars.update(tasks[step.subject], completed=min(step.done_bytes, step.total_bytes))
            elif step.stage == "wait":
                bars.console.print(f"waiting for another process that fills {step.subject}")
            else:
                bars.console.print(f"{step.stage:<8}{step.subject}")

        yield report
