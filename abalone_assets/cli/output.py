"""What the commands share: how they print, how they fail, how they show that they are at work."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

PIPED_WIDTH: Final = 120
PATIENCE_SECONDS: Final = 1.0
"""Work that takes longer gets a progress bar."""

FAILED: Final = 1
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells report a program that Ctrl-C ended."""

Item = TypeVar("Item")

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of text."
)


class ErrorBoundary(click.Group):
    """Ends a command that failed with one red line, and one that was interrupted without any."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click.Group.invoke
        """Run the command; an error that the user can mend exits with 1, Ctrl-C with 130."""
        try:
            return super().invoke(ctx)
        except AbaloneError as error:
            click.secho(f"Error: {one_line(error)}", fg="red", err=True)
            ctx.exit(FAILED)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def one_line(error: Exception) -> str:
    """The error's message without line breaks."""
    return " ".join(str(error).split())


def counted(number: int, noun: str) -> str:
    """The number and its noun: 1 row, 2 rows."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def example(*commands: str) -> str:
    """The epilog of a command's help that shows how to call it."""
    heading = "Example:" if len(commands) == 1 else "Examples:"
    # click keeps the lines of a paragraph that starts with a backspace as they are.
    return "\n".join(["\b", heading, *(f"  {command}" for command in commands)])


def console(*, stderr: bool = False) -> Console:
    """Where text and tables go; wide enough for tables when it is no terminal."""
    from rich.console import Console

    terminal = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not terminal.is_terminal:
        terminal.width = PIPED_WIDTH
    return terminal


def print_json(document: object) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(document, indent=1, ensure_ascii=False))


def table(*columns: str, right: Sequence[str] = (), title: str | None = None) -> Table:
    """An empty table; the columns named in ``right`` hold numbers."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def facts(rows: Sequence[tuple[str, str]]) -> _Facts:
    """Names and values to print; the values are shown as they are: without markup, and whole.

    A terminal gets a table that folds what is too long for it; a pipe gets one line each.
    """
    return _Facts(rows)


class _Facts:
    """Asks where it is printed before it decides what it looks like."""

    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        self._rows = rows

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        from rich.table import Table
        from rich.text import Text

        names = [Text(name, style="cyan") for name, _ in self._rows]
        values = [Text(value) for _, value in self._rows]
        if console.is_terminal:
            made = Table.grid(padding=(0, 2))
            made.add_column(no_wrap=True)
            made.add_column(overflow="fold")
            for row in zip(names, values, strict=True):
                made.add_row(*row)
            yield made
            return
        width = max((name.cell_len for name in names), default=0) + 2
        for name, value in zip(names, values, strict=True):
            name.align("left", width)
            yield name + value


def with_progress(items: Iterable[Item], description: str, *, total: int) -> Iterator[Item]:
    """The items; a bar shows how many are done when it takes more than a second.

    It goes to stderr, and only where somebody looks: not into a file or a pipe.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console(stderr=True),
        transient=True,
    )
    task = bar.add_task(description, total=total)
    started, shown = time.monotonic(), not bar.console.is_terminal
    try:
        for item in items:
            yield item
            bar.advance(task)
            if not shown and time.monotonic() - started > PATIENCE_SECONDS:
                bar.start()
                shown = True
    finally:
        if bar.live.is_started:
            bar.stop()
