"""What SageMaker Studio shows of a version, written beside its package: a courtesy, never a duty.

Nothing here can fail a release or hold it up for long: what goes wrong is told, and that is all.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import explain, is_transient
from abalone_assets.errors import AbaloneError
from abalone_assets.registry.model_package_card import (
    card_content,
    card_status,
    card_with_decision,
)
from abalone_assets.registry.model_package_lineage import Lineage
from abalone_assets.registry.notes import Noted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abalone_assets.registry.notes import ReleaseNotes
    from abalone_assets.registry.versions import ModelVersion

PATIENCE_SECONDS: Final = 30.0
"""How long the calls for one version may take in all; none begins later."""

CALL_SECONDS: Final = 10
"""How long one call may take to answer."""

_FIRST_WAIT: Final = 0.5
_OFF: Final = "set ABALONE_STUDIO_NOTES=false to do without"


class StudioNotes:
    """Writes model card and lineage of versions.

    Args:
        group: The model package group.
        sagemaker: boto3's client, which should not repeat calls by itself.
        patience: Seconds for the calls for one version.
    """

    def __init__(
        self,
        group: str,
        sagemaker: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.group = group
        self._sagemaker = sagemaker
        self._patience = patience

    def note(
        self,
        version: ModelVersion,
        package: Mapping[str, Any],
        notes: ReleaseNotes,
        archive_uri: str,
        *,
        may_update: bool,
    ) -> Noted:
        """Write all there is to say of a version; the same again changes nothing.

        Args:
            version: The version with its last word.
            package: Its package, as SageMaker describes it.
            notes: What the release knows.
            archive_uri: Where its archive lies.
            may_update: Whether the package itself may be touched: not when a person has decided in
                SageMaker, which knows who and when by the package's last change.
        """
        call = _Calls(self._sagemaker, self._patience)

        def write_card() -> None:
            if not may_update:
                raise AbaloneError("a person decided in SageMaker since; its last change is kept")
            self._write_card(call, version, package, card_content(version, notes, archive_uri))

        def write_lineage() -> None:
            Lineage(self.group, call).note(version, str(package["ModelPackageArn"]), notes)

        return _all_that_goes(version, {"model card": write_card, "lineage": write_lineage})

    def decide(self, version: ModelVersion, package: Mapping[str, Any]) -> Noted:
        """Write a person's decision to what was noted of the version, if anything was.

        Args:
            version: The version with the decision.
            package: Its package, as SageMaker describes it.
        """
        call = _Calls(self._sagemaker, self._patience)

        def write_card() -> None:
            if content := (package.get("ModelCard") or {}).get("ModelCardContent"):
                self._write_card(call, version, package, card_with_decision(content, version))

        def write_lineage() -> None:
            Lineage(self.group, call).decide(version)

        return _all_that_goes(version, {"model card": write_card, "lineage": write_lineage})

    def _write_card(
        self, call: _Calls, version: ModelVersion, package: Mapping[str, Any], content: str
    ) -> None:
        card = {"ModelCardContent": content, "ModelCardStatus": card_status(version)}
        if package.get("ModelCard") != card:
            call(
                "update_model_package",
                ModelPackageArn=package["ModelPackageArn"],
                ModelCard=card,
                # Whether an update that leaves them out keeps them is not documented.
                CustomerMetadataProperties=package["CustomerMetadataProperties"],
            )


def _all_that_goes(version: ModelVersion, tasks: Mapping[str, Callable[[], None]]) -> Noted:
    """What was written, and what was not."""
    written, problems = [], []
    for what, task in tasks.items():
        try:
            task()
            written.append(what)
        except Exception as error:  # noqa: BLE001 - whatever it is, the release goes on
            problems.append(f"{what} of version {version.version}: {explain(error)}; {_OFF}")
    return Noted(tuple(written), tuple(problems))


class _Calls:
    """Makes calls as long as there is time, from the first on, again where SageMaker is busy."""

    def __init__(self, sagemaker: Any, patience: float) -> None:  # noqa: ANN401 - as above
        self._sagemaker = sagemaker
        self._patience = patience

    @cached_property
    def _end(self) -> float:
        return time.monotonic() + self._patience

    def require_time(self) -> None:
        """Make sure that another call may begin.

        Raises:
            AbaloneError: There is no time left.
        """
        end = self._end  # which begins with the first call
        if time.monotonic() >= end:
            raise AbaloneError("no time was left for it")

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3
        """What the call answers.

        Raises:
            AbaloneError: There is no time left.
            ClientError: SageMaker refuses.
            BotoCoreError: SageMaker does not answer.
        """
        wait = _FIRST_WAIT
        while True:
            self.require_time()
            try:
                answer: dict[str, Any] = getattr(self._sagemaker, operation)(**parameters)
            except Exception as error:
                if not is_transient(error) or time.monotonic() + wait >= self._end:
                    raise
                time.sleep(wait)
                wait *= 2
            else:
                return answer
