"""The crews at work: they send a week's files, and go on with some of them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets_tests.support.fleet.kinds import CORRECTED, GROWING, UNREADABLE
from abalone_assets_tests.support.fleet.week import DAYS, FleetWeek, day_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Crews:
    """The crews at work in a landing zone, and what befalls it.

    Attributes:
        week: What they send.
        folder: The landing zone.
    """

    week: FleetWeek
    folder: Path
    _written: int = 0

    def send(self, day: int) -> None:
        """Land a day's files; those of which more is to come, as they are at first."""
        for sent in self.week.sent:
            if sent.day == day and sent.kind is None:
                self._land(sent.name, sent.data)
            elif sent.day == day and sent.kind and sent.kind.what == GROWING:
                self.write_rows(10)
            elif sent.day == day and sent.kind and sent.kind.what == CORRECTED:
                self._land(sent.name, self.mistaken)
            elif sent.day == day:
                self._land(sent.name, sent.data)
                if sent.kind and sent.kind.what == UNREADABLE:
                    (self.folder / sent.name).chmod(0)
        if day == DAYS - 1:
            self._send_oddities()

    def _land(self, name: str, data: bytes) -> None:
        FolderLandingZone(self.folder).land(name, data)

    def _send_oddities(self) -> None:
        aside = self.folder.parent / "aside"
        aside.mkdir()
        (aside / "survey.csv").write_bytes(self.week.clean[0].data)
        (self.folder / LINK).symlink_to(aside / "survey.csv")
        (self.folder / FOLDER).mkdir()
        (self.folder / FOLDER / "survey.csv").write_bytes(self.week.clean[0].data)

    @property
    def mistaken(self) -> bytes:
        """The file that will be corrected: one digit of its first animal is another one."""
        data = self.week.the(CORRECTED).data
        line, _, rest = data.partition(b"\n")
        fields = line.split(b",")
        digit = b"1" if fields[1][-1:] != b"1" else b"2"
        return b",".join([fields[0], fields[1][:-1] + digit, *fields[2:]]) + b"\n" + rest

    def write_rows(self, count: int) -> None:
        """Append to the file that grows, in place, as a logger does."""
        sent = self.week.the(GROWING)
        lines = sent.data.splitlines(keepends=True)[self._written : self._written + count]
        self._written += count
        with (self.folder / sent.name).open("ab") as file:
            file.write(b"".join(lines))

    def correct(self) -> None:
        """Write the corrected file over the mistaken one, and give it its time."""
        path, sent = self.folder / self.week.the(CORRECTED).name, self.week.the(CORRECTED)
        before = path.stat()
        path.write_bytes(sent.data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = path.stat()
        assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    def mend(self) -> None:
        """Let the unreadable file be read."""
        (self.folder / self.week.the(UNREADABLE).name).chmod(0o644)

    @contextmanager
    def unmounted(self, *, mount_point: bool) -> Iterator[None]:
        """The landing zone is gone; its mount point, if that is left, is empty."""
        away = self.folder.with_name("away")
        self.folder.rename(away)
        if mount_point:
            self.folder.mkdir()
        try:
            yield
        finally:
            if mount_point:
                self.folder.rmdir()
            away.rename(self.folder)


LINK: Final = f"{day_prefix(DAYS - 1)}200000"
FOLDER: Final = f"{day_prefix(DAYS - 1)}210000"
