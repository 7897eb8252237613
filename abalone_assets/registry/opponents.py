"""The versions that a new model is held against, also where the record of one is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abalone_assets.registry.versions import UnknownVersionError, champion_of, desired_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion


@dataclass(frozen=True)
class Opponents:
    """What a new model is held against.

    Attributes:
        champion: A version; None where there is none.
        reference: Likewise; it may be the champion.
        warning: That the live version cannot be the champion, and which one is; mostly empty.
    """

    champion: int | None
    reference: int | None = None
    warning: str = ""

    @property
    def by_role(self) -> dict[str, int]:
        """Those whose archives are asked, each once."""
        if self.champion is None:
            return {}
        others = {"reference": self.reference} if self.reference else {}
        return {"champion": self.champion, **(others if self.reference != self.champion else {})}


def opponents_of_next(
    live: int | None, candidates: Sequence[ModelVersion], registry: ModelRegistry
) -> Opponents:
    """The champion and the reference of the next model; their archives are as registered.

    A live version whose record is gone is no champion: nobody knows any more whether it was
    approved. In its place is the one that should be live by the records that are left.

    Raises:
        StorageError: An archive was lost. Without it a model would be judged by less than it has
            to be, so a person decides: restores it, or approves what the next one is held against.
        ModelArchiveError: An archive was altered.
    """
    champion, warning = champion_of(live, candidates), ""
    if champion is not None and not _is_known(champion, registry):
        desired = desired_of(candidates)
        warning = f"the record of version {champion}, which is live, is gone: " + (
            "the model is judged by its own numbers alone, as no other version is approved"
            if desired is None
            else f"the champion is version {desired.version}, the last that is approved"
        )
        champion = None if desired is None else desired.version
    reference = None if champion is None else registry.reference_version(champion)
    found = Opponents(champion, reference, warning)
    for version in found.by_role.values():
        registry.read_model(version)
    return found


def _is_known(version: int, registry: ModelRegistry) -> bool:
    try:
        registry.get(version)
    except UnknownVersionError:
        return False
    return True
