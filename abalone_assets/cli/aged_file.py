"""What `abalone predict FILE --output` does: ages of a file, written as they come."""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from abalone_assets.ageing.ages_file import STDOUT, Ages, writing_ages
from abalone_assets.cli.output import PARTLY, console, progress_bar
from abalone_assets.errors import SurveyError, counted
from abalone_assets.survey.units import CONTRACT_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from abalone_assets.ageing.ages_file import Writer
    from abalone_assets.ageing.animals_file import AnimalsFile
    from abalone_assets.ageing.batch import BadAnimal, Batch
    from abalone_assets.serving.client import EndpointClient
    from abalone_assets.survey.units import Units

SHOWN_LINES: Final = 5


@dataclass
class AgedFile:
    """The work of writing a file's ages, and what came of it.

    Attributes:
        client: Who is asked.
        animals: The file.
        strict: Whether a line that is no animal ends it.
        stream: Its bytes, which tell how much was read.
    """

    client: EndpointClient
    animals: AnimalsFile
    strict: bool
    stream: BinaryIO
    lines: int = 0
    ignored: int = 0
    bad: list[BadAnimal] = field(default_factory=list)
    """The first lines that are no animals, but for those in other units than told."""
    bad_count: int = 0
    in_other_units: Counter[Units] = field(default_factory=Counter)
    examples: dict[Units, BadAnimal] = field(default_factory=dict)
    """Of lines that clearly are in other units than told, the first."""
    versions: set[int] = field(default_factory=set)

    def write(self, batches: Iterable[Batch], output: str, *, decimal_comma: bool = False) -> None:
        """Ask batch after batch, and write each as it is answered.

        While one is asked about, the next is read and the one before is written.

        Args:
            batches: Of the file.
            output: As of `writing_ages`.
            decimal_comma: Likewise.
        """
        with (
            progress_bar("animals") as show,
            writing_ages(
                output, self.animals.header, sys.stdout, decimal_comma=decimal_comma
            ) as write,
            ThreadPoolExecutor(1) as pool,
        ):
            asked: tuple[Batch, Future[Ages | None]] | None = None
            for batch in batches:
                if self.strict:
                    refuse_bad(batch, self.animals)
                answer = pool.submit(self._ask, batch)
                if asked is not None:
                    self._note(*asked, write)
                    show(self.lines, self._total())
                asked = batch, answer
            if asked is not None:
                self._note(*asked, write)
        self._tell("" if output == STDOUT else f"{output}: ")

    def _ask(self, batch: Batch) -> Ages | None:
        if batch.animals is None:
            return None
        answer = self.client.invoke(batch.to_csv())
        return Ages(answer.rings, answer.intervals, answer.version)

    def _note(self, batch: Batch, answer: Future[Ages | None], write: Writer) -> None:
        ages = answer.result()
        write(batch, ages)
        self.lines += len(batch)
        self.ignored += batch.ignored_rings
        self.bad_count += len(batch.bad)
        for _, bad in sorted(batch.bad.items()):
            if bad.looks_like is not None:
                self.in_other_units[bad.looks_like] += 1
                self.examples.setdefault(bad.looks_like, bad)
            elif len(self.bad) < SHOWN_LINES:
                self.bad.append(bad)
        if ages is not None:
            self.versions.add(ages.version)

    def _total(self) -> int:
        """How many lines there are by all appearance."""
        size = _size_of(self.stream)
        read = self.stream.tell() if size else 0
        return max(self.lines, round(self.lines * (size or 0) / read)) if read else self.lines

    def _tell(self, where: str) -> None:
        out = console(stderr=True)
        named = ", ".join(map(str, sorted(self.versions)))
        by = f"model version {named}" if named else "so no model was asked"
        aged = counted(self.lines - self.bad_count, "animal")
        out.print(f"{where}{aged}, {by}{of_rings(self.ignored)}")
        if not self.bad_count:
            return
        out.print(f"{counted(self.bad_count, 'line')} without an age:", style="yellow")
        for bad in self.bad:
            out.print(f"  {self.animals.name}, {bad}")
        others = self.bad_count - self.in_other_units.total()
        if others > len(self.bad):
            out.print(f"  and {others - len(self.bad)} more")
        for units, count in self.in_other_units.items():
            look = "looks" if count == 1 else "look"
            out.print(
                f"  {counted(count, 'line')} {look} like {units.words}{remedy(units)}; the first: "
                f"{self.animals.name}, {self.examples[units]}"
            )
        sys.exit(PARTLY)


def refuse_bad(batch: Batch, animals: AnimalsFile) -> None:
    """Make sure that every line of a batch is an animal.

    Raises:
        SurveyError: One is none; the first is told, with what to do.
    """
    if batch.bad:
        bad = batch.bad[min(batch.bad)]
        raise SurveyError(f"{animals.name}, {bad}{remedy(bad.looks_like)}")


def remedy(looks_like: Units | None, *, in_file: bool = True) -> str:
    """What to do about an animal that clearly is in other units than told."""
    if looks_like is None:
        return ""
    if looks_like == CONTRACT_UNITS:
        return ": leave out --units" + (", or correct the units in its header" if in_file else "")
    or_header = ", or tell the units in a header" if in_file else ""
    return f": say --units {looks_like.name}{or_header}"


def of_rings(ignored: int) -> str:
    """What is told of rings that nobody looked at."""
    return f"; the rings of {counted(ignored, 'line')} were not looked at" if ignored else ""


def _size_of(file: BinaryIO) -> int | None:
    """The bytes of a file, None of a pipe."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
