"""What every endpoint can be asked and told: which version answers, and to serve another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import EndpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RINGS_TOLERANCE: Final = 1e-4


class WrongAnswerError(EndpointError):
    """A version predicts something else than it did when it was evaluated."""


@dataclass(frozen=True)
class Deployment:
    """The outcome of a deployment that was not refused.

    Attributes:
        version: The version that the endpoint was asked to serve.
        previous: The version that it was asked to serve before, if any.
        served: Whether a running server answers with it; False when none is running.
        url: Where a browser finds that endpoint, or the same of a server that runs later.
        message: One sentence for people.
    """

    version: int
    previous: int | None
    served: bool
    url: str | None
    seconds: float
    message: str


class Endpoint(ABC):
    """Serves one model version at a time, whether it exists yet or not.

    Attributes:
        name: Its name.
    """

    name: str

    @abstractmethod
    def live_version(self) -> int | None:
        """The version that answers requests, or that a server here should answer with.

        None when there is none of ours.

        Raises:
            EndpointError: AWS refuses to say.
            StorageError: The local endpoint's pointer is damaged.
        """

    @abstractmethod
    def deploy(
        self,
        version: int,
        probes: Sequence[tuple[str, float]],
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> Deployment:
        """Serve a version and prove it by real requests, or go back to the one before.

        A version that serves already is verified and left alone, unless it answers wrongly and
        there is one before it to return to. Probes are CSV lines, each with the rings that the
        version must predict for it, within 1e-4.

        Raises:
            StorageError: There is no such version.
            EndpointError: No probe was given; or the version was refused, late or answered wrongly.
                The message says why, and what serves now.
        """


def require_probes(probes: Sequence[tuple[str, float]]) -> None:
    """Make sure that there is something to prove a deployment with.

    Raises:
        EndpointError: There is not.
    """
    if not probes:
        raise EndpointError("a deployment needs at least one probe to prove the new version")


def body_of(probes: Sequence[tuple[str, float]]) -> str:
    """The probes as the CSV body of one request."""
    return "".join(line.rstrip("\r\n") + "\n" for line, _ in probes)


def check_answers(
    who: str, probes: Sequence[tuple[str, float]], predictions: Sequence[float]
) -> None:
    """Make sure that probes were answered, within 1e-4, as when the model was evaluated.

    Raises:
        WrongAnswerError: They are others, or of another number.
    """
    if len(predictions) != len(probes):
        raise WrongAnswerError(f"{who}: {len(predictions)} predictions for {len(probes)} probes")
    for (line, wanted), rings in zip(probes, predictions, strict=True):
        if not abs(rings - wanted) <= RINGS_TOLERANCE:  # also catches NaN
            raise WrongAnswerError(
                f"{who} predicts {rings} rings for {line.strip()!r} where {wanted} was expected"
            )
