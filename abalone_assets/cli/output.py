"""What the commands share: how they print, how they fail, how they show that they are at work."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from rich.console import Console
    from rich.progress import ProgressColumn

PIPED_WIDTH: Final = 120
BAR_DELAY_SECONDS: Final = 1.0
"""Work that takes longer gets a progress bar."""

FAILED: Final = 1
NOT_LIVE: Final = 3
"""All went well, but the model version that was to go live did not."""

PARTLY: Final = 4
"""All that could be done was done; the rest was told of, such as lines that are no animals."""

INTERRUPTED: Final = 130
"""128 + SIGINT, as shells report a program that Ctrl-C ended."""

Item = TypeVar("Item")

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of text."
)


class _VersionNumber(click.IntRange):
    """The number of a model version, from 1."""

    name = "version"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click.IntRange.convert
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """The number; what is none is a usage error that says where the numbers are."""
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(
                f"{value!r} is no version's number; `abalone versions` lists them", param, ctx
            )


VERSION: Final = _VersionNumber(min=1)
"""Type of an argument that is the number of a model version."""


def _reason(_: click.Context, __: click.Parameter, text: str) -> str:
    if not text.strip():
        raise click.BadParameter("give a reason: others will ask for it")
    return text.strip()


because_option = click.option(
    "--because", required=True, metavar="TEXT", callback=_reason, help="The reason; it is kept."
)


class ErrorBoundary(click.Group):
    """Ends a command that failed with one red line, and one that was interrupted without any."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click.Group.invoke
        """Run the command; an error that the user can mend exits with 1, Ctrl-C with 130."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads has enough, such as `head`: click ends the command quietly
        except (AbaloneError, OSError) as error:  # the latter, say, of a full disk behind stdout
            click.secho(f"Error: {one_line(error)}", fg="red", err=True)
            ctx.exit(FAILED)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def one_line(error: Exception) -> str:
    """The error's message without line breaks."""
    return " ".join(str(error).split())


def who() -> str:
    """The name of the user, for what is kept with it."""
    if name := os.environ.get("USER"):
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"


def is_terminal() -> bool:
    """Whether somebody types what this process reads."""
    return sys.stdin.isatty()


def agrees(question: str, *, otherwise: str, as_json: bool) -> bool:
    """Whether somebody at the terminal agrees.

    Raises:
        UsageError: There is nobody to ask; ``otherwise`` says what to do then.
    """
    if not is_terminal():
        raise click.UsageError(f"nobody to ask here: {otherwise}")
    return click.confirm(question, err=as_json)


def example(*commands: str) -> str:
    """The epilog of a command's help that shows how to call it."""
    heading = "Example:" if len(commands) == 1 else "Examples:"
    # click keeps the lines of a paragraph that starts with a backspace as they are.
    return "\n".join(["\b", heading, *(f"  {command}" for command in commands)])


def console(*, stderr: bool = False) -> Console:
    """Where text goes, as it is, without markup; wide enough for tables when it is no terminal."""
    from rich.console import Console

    terminal = Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not terminal.is_terminal:
        terminal.width = PIPED_WIDTH
    return terminal


def print_json(document: object) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(document, indent=1, ensure_ascii=False))


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Collection[str] = (),
    title: str | None = None,
) -> None:
    """Print a table; without rows, nothing.

    Cells are shown as they are, without markup, and folded where they are long; those of the
    columns in ``right`` are numbers.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    if made.row_count:
        console().print(made)


def print_facts(rows: Sequence[tuple[str, str]]) -> None:
    """Print names and values; the values are shown as they are: without markup, and whole.

    A terminal gets a table that folds what is too long for it; a pipe gets one line each.
    """
    from rich.table import Table
    from rich.text import Text

    out = console()
    if not out.is_terminal:
        width = max(len(name) for name, _ in rows) + 2
        for name, value in rows:
            out.print(f"{name:{width}}{value}")
        return
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True, style="cyan")
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, Text(value))
    out.print(made)


def with_progress(items: Iterable[Item], description: str, *, total: int) -> Iterator[Item]:
    """The items, with a bar that shows how many are done."""
    with progress_bar(description) as show:
        for done, item in enumerate(items, start=1):
            yield item
            show(done, total)


@contextmanager
def progress_bar(
    description: str, *columns: ProgressColumn
) -> Iterator[Callable[[int, int], None]]:
    """A bar to tell how much is done and how much there is to do; shown after a second.

    It goes to stderr, and only where somebody looks: not into a file or a pipe. More columns stand
    beside the bar and the counts.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        console=console(stderr=True),
        transient=True,
    )
    task = bar.add_task(description, total=None)
    started = time.monotonic()

    def show(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if bar.console.is_terminal and time.monotonic() - started > BAR_DELAY_SECONDS:
            bar.start()

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()
