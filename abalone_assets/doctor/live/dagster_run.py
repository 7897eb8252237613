"""A step as a Dagster run of one asset, in this process: what the Pipes clients need."""

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

import dagster as dg

from abalone_assets.doctor.live.interrupts import InterruptedTrialError, noticed_signals

QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_FROM_PIPES: Final = "[pipes] "

_Made = TypeVar("_Made")


class _Teller(logging.Handler):
    """Hands on what the Pipes clients tell of a job."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say a line of theirs."""
        text = str(record.msg)
        if _FROM_PIPES in text and "launch_payload" not in text:  # that is for Dagster
            self._say(text.partition(_FROM_PIPES)[2].splitlines()[0])


def in_a_run(
    asset: str, work: Callable[[dg.AssetExecutionContext], _Made], say: Callable[[str], None]
) -> _Made:
    """Do work in the step of an asset, in a run that no instance keeps.

    Args:
        asset: The asset's name, after which its job is named.
        work: Given the step's context.
        say: Told how the job goes on.

    Raises:
        InterruptedTrialError: A signal came; a job that was running has been told to stop.
        BaseException: What the work raises.
    """
    made: list[_Made] = []
    raised: list[BaseException] = []

    @dg.asset(name=asset)
    def step(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        teller = _Teller(say)
        context.log.addHandler(teller)
        try:
            made.append(work(context))
        except BaseException as error:
            raised.append(error)
            raise
        finally:
            context.log.removeHandler(teller)
        return dg.MaterializeResult()

    with noticed_signals() as signal_number:
        try:
            dg.materialize([step], run_config=QUIET, raise_on_error=False)
        except Exception:
            if not raised:
                raise
        if number := signal_number():
            raise InterruptedTrialError(number) from (raised[0] if raised else None)
    if raised:
        raise raised[0]
    return made[0]
