"""What releases use, for a trial: the same resources under other names, with smaller bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.doctor.live.cost import DEPLOYMENT_SECONDS, JOB_SECONDS
from abalone_assets.resources.aws.ml_platform import SageMakerPlatform
from abalone_assets.resources.etl_engine import GlueEngine
from abalone_assets.resources.models import SageMakerEndpointHost, SageMakerModelRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.doctor.live.account import Trial

QUICK: Final[Mapping[str, Any]] = {
    "num_boost_round": 20,
    "landmarks": 100,
    "folds": 2,
    "epochs": 2,
}
"""Hyperparameters that train in seconds, of whatever framework has them."""


@dataclass(frozen=True)
class Releases:
    """What a release prepares, trains, registers and deploys with."""

    etl_engine: GlueEngine
    ml_platform: SageMakerPlatform
    model_registry: SageMakerModelRegistry
    endpoint_host: SageMakerEndpointHost

    @classmethod
    def of(cls, resources: Mapping[str, Any]) -> Releases:
        """The platform's resources of the profile aws, by the names that assets ask for."""
        return cls(**{name: resources[name] for name in cls.__dataclass_fields__})

    def for_trial(self, trial: Trial) -> Releases:
        """The same for a trial: its own places, group and endpoint, one instance, no canary wait.

        It keeps no instance warm and lets none be added, which would cost more than was said, and
        writes neither lineage nor runs, which could not be removed. Roles, images, instance types,
        network, key, alarms and whatever else is set are those of releases.
        """
        registry = _changed(
            self.model_registry,
            group=trial.name,
            uri=f"{trial.jobs_uri}/registry",
            studio_notes=False,
        )
        bound = {"jobs_uri": trial.jobs_uri, "max_runtime_seconds": JOB_SECONDS}
        return Releases(
            _changed(self.etl_engine, **bound),
            _changed(self.ml_platform, **bound, keep_alive_seconds=0),
            registry,
            _changed(
                self.endpoint_host,
                registry=registry,
                endpoint_name=trial.name,
                instance_count=1,
                max_instance_count=1,
                canary_wait_seconds=0,
                timeout_seconds=DEPLOYMENT_SECONDS,
            ),
        )


def _changed(resource: Any, **changes: object) -> Any:  # noqa: ANN401 - the same kind as given
    """A resource like another but for some fields."""
    kept = {name: getattr(resource, name) for name in type(resource).model_fields}
    return type(resource)(**{**kept, **changes})
