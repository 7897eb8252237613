"""One thing that ``abalone doctor`` looked at, and how a look becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal

from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Outcome = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What.
        outcome: Whether the platform can work with it.
        found: What it is like.
        remedy: What to do about it; empty when all is well.
    """

    subject: str
    outcome: Outcome
    found: str
    remedy: str = ""


def ok(subject: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(subject, "ok", found)


def guarded(
    subject: str, look: Callable[[], Finding], *, remedy: str, otherwise: Outcome = "failed"
) -> Finding:
    """What a look finds, or the error that it ended with.

    Args:
        subject: What is looked at.
        look: The look; may raise an `AbaloneError`.
        remedy: What to do about an error.
        otherwise: How bad an error is.
    """
    try:
        return look()
    except AbaloneError as error:
        return Finding(subject, otherwise, " ".join(str(error).split()), remedy)


def packages(names: Sequence[str], *, remedy: str) -> Finding:
    """Whether Python packages are installed.

    Args:
        names: Of the distributions.
        remedy: How to install them.
    """
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    missing = [name for name, installed in versions.items() if installed is None]
    if missing:
        return Finding("packages", "failed", f"not installed: {', '.join(missing)}", remedy)
    return ok("packages", ", ".join(f"{name} {found}" for name, found in versions.items()))
