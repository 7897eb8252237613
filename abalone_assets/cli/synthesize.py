"""``abalone synthesize``: write or land a survey of animals that nobody has measured."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from abalone_assets.cli.output import (
    console,
    example,
    json_option,
    print_json,
    print_table,
    progress_bar,
)
from abalone_assets.errors import counted
from abalone_assets.synthesis import MAX_EPOCHS, MAX_ROWS, MAX_SEEDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.synthesis import Recipe
    from abalone_assets.synthesis.quality import Quality
    from abalone_assets.synthesis.recipes import FitOptions


_OUTCOMES = {
    "landed": "written",
    "replaced": "written over another content",
    "identical": "there already",
}


@click.command(
    epilog=example(
        "abalone synthesize",
        "abalone synthesize --rows 500 --date 2025-09-01T06:15:00 --land",
        "abalone synthesize --recipe tvae --seed 7 --output surveys",
    )
)
@click.option(
    "--rows",
    type=click.IntRange(1, MAX_ROWS),
    default=200,
    show_default=True,
    help="Animals in the survey.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="The same seed draws the same animals.  [default: from the survey's time]",
)
@click.option(
    "--date",
    metavar="DATE[TTIME]",
    help="When the survey shall have been, UTC, such as 2025-09-01T06:15:00.  [default: now]",
)
@click.option(
    "--recipe",
    type=click.Choice(["copula", "ctgan", "tvae"]),
    default="copula",
    show_default=True,
    help="copula: in an instant. ctgan, tvae: networks, in minutes; they need the extra synthetic.",
)
@click.option(
    "--epochs",
    type=click.IntRange(0, MAX_EPOCHS),
    default=0,
    help="Passes over the rows.  [default: the recipe's own]",
)
@click.option(
    "--seeds",
    type=click.IntRange(0, MAX_SEEDS),
    default=0,
    help="Fits of which the best is kept.  [default: the recipe's own]",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the file to.  [default: .]",
)
@click.option("--land", is_flag=True, help="Put it into the landing zone instead.")
@click.option(
    "--force",
    is_flag=True,
    help="Replace a simulated file of another content; take a survey that fails the quality check.",
)
@json_option
def synthesize(
    *,
    rows: int,
    seed: int | None,
    date: str | None,
    recipe: str,
    epochs: int,
    seeds: int,
    output: Path | None,
    land: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Simulate a survey, and say how good the simulation is.

    It is learnt from the base survey in the lake, or from the bundled one when the lake has none.
    The lake remembers the file's bytes as simulated: wherever they land later, their rows count as
    synthetic.
    """
    if land and output is not None:
        raise click.UsageError("--land and --output exclude each other: choose one")
    from abalone_assets.cli.simulation import simulate
    from abalone_assets.settings.platform import load_settings
    from abalone_assets.synthesis.recipes import FitOptions

    fit = FitOptions(cast("Recipe", recipe), epochs, seeds)
    with _progress(fit) as on_progress:
        done, quality = simulate(
            load_settings(),
            fit,
            on_progress,
            rows=rows,
            date=date,
            seed=seed,
            folder=None if land else output or Path(),
            force=force,
        )
    if as_json:
        print_json(done)
    else:
        _show(done, quality, landed=land)


@contextmanager
def _progress(fit: FitOptions) -> Iterator[Callable[[int, int], None]]:
    """A bar of the epochs; in a log, just one line."""
    from rich.progress import TimeRemainingColumn

    logged, chosen = not console(stderr=True).is_terminal, fit.settled
    tries = f"{counted(chosen.seeds, 'seed')} of {counted(chosen.epochs, 'epoch')}"
    with progress_bar("fitting: epochs", TimeRemainingColumn()) as show:

        def report(done: int, total: int) -> None:
            if done == 1 and logged:
                said = f"fitting {chosen.recipe}: {tries}; by default, that takes some minutes"
                click.echo(said, err=True)
            show(done, total)

        yield report


def _show(done: dict[str, Any], quality: Quality, *, landed: bool) -> None:
    out, fit = console(), done["synthesizer"]
    when = f"{sum(attempt['seconds'] for attempt in fit['attempts']):.1f} s"
    if fit["taken_from_the_lake"]:
        when = "fitted before, taken from the lake"
    learnt = counted(fit["rows"], "row")
    out.print(f"Recipe {fit['recipe']} ({when}), learnt from {learnt} of {done['source']}")
    _show_quality(quality)
    reasons = [_reasons(verb, done[verb]) for verb in ("rejected", "repaired")]
    out.print(f"{counted(done['drawn'], 'row')} drawn, {', '.join(reasons)}.")
    for reason in done["broken"]:
        console(stderr=True).print(f"Fails the quality check: {reason}", style="yellow")
    out.print(f"{counted(done['rows'], 'row')}, {_OUTCOMES[done['outcome']]}: {done['path']}")
    if not landed:
        out.print(f"Next: `abalone land {shlex.quote(done['path'])}`")


def _reasons(verb: str, counts: dict[str, int]) -> str:
    reasons = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{sum(counts.values())} {verb}" + (f" ({reasons})" if reasons else "")


def _show_quality(quality: Quality) -> None:
    from rich.text import Text

    from abalone_assets.synthesis.quality import THRESHOLDS

    numbers = {name: f"{number:.3f}" for name, number in quality.items()}
    rows: list[tuple[str | Text, ...]] = []
    for each in THRESHOLDS:
        mark = Text("✓", "green") if each.holds(quality) else Text("✗", "red")
        bound = f"{'≤' if each.side == 'most' else '≥'} {each.bound:g}"
        rows.append((each.number, numbers[each.number], bound, mark))
    unbounded = ("ks_mean", "correlation_difference", "tstr_rmse", "trtr_rmse")
    rows += [(name, numbers[name], "", "") for name in unbounded]
    print_table(["quality", "value", "passes at", ""], rows, right=["value"])
