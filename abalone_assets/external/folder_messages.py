"""Dagster Pipes without a network: SageMaker copies the messages from a folder.

A container in network isolation reaches no S3. SageMaker brings what it needs and takes what it
leaves: the context comes as an input, and messages are files of a folder that is copied while the
script runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dagster_pipes import PipesBlobStoreMessageWriter, PipesBlobStoreMessageWriterChannel

if TYPE_CHECKING:
    from io import StringIO

    from dagster_pipes import PipesParams


class FolderMessageWriter(PipesBlobStoreMessageWriter["FolderMessageWriterChannel"]):
    """Writes messages as ``1.json``, ``2.json``, … of the folder that the parameters name."""

    def make_channel(self, params: PipesParams) -> FolderMessageWriterChannel:
        """The channel to the parameter ``folder``."""
        return FolderMessageWriterChannel(Path(params["folder"]), interval=self.interval)


class FolderMessageWriterChannel(PipesBlobStoreMessageWriterChannel):
    """Writes each chunk at once, so that no half of one is copied."""

    def __init__(self, folder: Path, *, interval: float) -> None:
        super().__init__(interval=interval)
        self._folder = folder

    def upload_messages_chunk(self, payload: StringIO, index: int) -> None:
        """Write a chunk of messages; nobody reads a file of another name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # Right in the folder: it may be a mount of its own, to which no file is renamed.
        partial = self._folder / f".{index}.partial"
        partial.write_text(payload.read(), encoding="utf-8")
        partial.replace(self._folder / f"{index}.json")
