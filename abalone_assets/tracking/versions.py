"""The versions as MLflow has them: a finished run and a registered model each, and the champion.

What MLflow holds already is known by tags, so whatever was cut short goes on where it ended.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import ModelArchiveError
from abalone_assets.lake.reports import Reports
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.provenance import known_provenance
from abalone_assets.registry.version_facts import DATA
from abalone_assets.registry.versions import MODEL_DIGEST
from abalone_assets.serving.live_version import live_version
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.tracking.told import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion as MlflowModel

    from abalone_assets.modeling.card import ModelCard
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.settings.platform import Settings

CHAMPION: Final = "champion"
"""The alias of the version that the endpoint serves."""

IDENTITY: Final = "abalone.registration"
"""Tag of a run: which version it is of. The others below say how much of it is there."""

_TOLD: Final = "abalone.told"
_MODEL: Final = "abalone.model"
_REPORT: Final = "abalone.report"
_METRICS: Final = ("rmse", "mae", "r2", "bias", "baseline_rmse", "rows")
_COMMIT: Final = "mlflow.source.git.commit"
"""MLflow's own tag of the commit, which its pages show as a run's source version."""

_MOST: Final = 5000
"""Characters of a tag that every MLflow takes."""


def send_what_is_missing(settings: Settings, on_sent: Callable[[int], None]) -> int | None:
    """Send every version that MLflow lacks or has otherwise, the live one first, then the newest.

    Args:
        settings: Where the versions are. MLflow is where its own variables say.
        on_sent: Is told of each version that was sent.

    Returns:
        The version under the alias, or None.

    Raises:
        AbaloneError: Lake or registry refuses, or an archive cannot be unpacked at present.
        MlflowException: MLflow refuses, or does not answer.
    """
    from mlflow import MlflowClient

    registry, live = open_registry(settings), live_version(settings)
    reports = Reports(ObjectStore(settings.lake_uri))
    there = _There.at(MlflowClient(), settings.endpoint_name)
    for version in _by_interest(registry, live):
        if there.take(version, registry, reports):
            on_sent(version.version)
        if version.version == live:
            there.point_to(version)
    if live is None:
        there.point_to(None)
    return live


def _by_interest(registry: ModelRegistry, live: int | None) -> Iterator[ModelVersion]:
    if live is not None:
        yield registry.get(live)
    yield from (each for each in registry.newest_first() if each.version != live)


@dataclass(frozen=True)
class _There:
    """What an MLflow holds of our versions.

    Attributes:
        client: Speaks to it.
        name: Of experiment and registered model.
        experiment: The experiment's id.
        runs: The runs of versions by `_identity`.
    """

    client: MlflowClient
    name: str
    experiment: str
    runs: dict[str, Run]

    @classmethod
    def at(cls, client: MlflowClient, name: str) -> _There:
        """Look, and make experiment and registered model where there are none."""
        found = client.get_experiment_by_name(name)
        experiment = client.create_experiment(name) if found is None else found.experiment_id
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        runs: dict[str, Run] = {}
        token: str | None = None
        while True:
            page = client.search_runs(
                [experiment], f"tags.`{IDENTITY}` != ''", max_results=1000, page_token=token
            )
            for run in page:
                runs.setdefault(run.data.tags[IDENTITY], run)
            token = page.token
            if not token:
                return cls(client, name, experiment, runs)

    def take(self, version: ModelVersion, registry: ModelRegistry, reports: Reports) -> bool:
        """Bring a version's run up to date; False when it is."""
        digest = str(version.evaluation.get(MODEL_DIGEST))
        run = self.runs.get(_identity(version))
        tags = {} if run is None else run.data.tags
        due_report = reports.has(digest) and tags.get(_REPORT) != digest
        told = _told(version)
        if tags.get(_TOLD) == told and not due_report:
            return False
        began = int(datetime.fromisoformat(version.created_at).timestamp() * 1000)
        run = run or self.client.create_run(
            self.experiment,
            began,
            tags={IDENTITY: _identity(version), "mlflow.source.name": "abalone"},
            run_name=f"version {version.version}",
        )
        run_id = run.info.run_id
        self._log(run_id, version, began)
        if _MODEL not in tags:
            self._send_model(run, version, registry)
        if due_report and (page := reports.read(digest)) is not None:
            self._send_report(run_id, page)
            self.client.set_tag(run_id, _REPORT, digest)
        for each in self._models(run_id):
            for key, value in _facts(version).items():
                if each.tags.get(key) != value:
                    self.client.set_model_version_tag(self.name, each.version, key, value)
        self.client.set_terminated(run_id, "FINISHED", end_time=began)
        self.client.set_tag(run_id, _TOLD, told)  # the last word: from here on it is all there
        return True

    def _log(self, run_id: str, version: ModelVersion, began: int) -> None:
        from mlflow.entities import Metric, RunTag

        metrics = {name: version.evaluation.get(name) for name in _METRICS}
        numbers = {k: float(v) for k, v in metrics.items() if isinstance(v, int | float)}
        self.client.log_batch(
            run_id,
            metrics=[Metric(name, value, began, 0) for name, value in numbers.items()],
            tags=[RunTag(key, value) for key, value in _facts(version).items()],
        )

    def _send_model(self, run: Run, version: ModelVersion, registry: ModelRegistry) -> None:
        """Its files, what is known of its training, and the registered model of them."""
        from mlflow.entities import Metric, Param

        from abalone_assets.tracking.packaged import package

        run_id = run.info.run_id
        if registry.store.find(version.model_key) is None:  # as old ones go: `retention`
            self.client.set_tag(run_id, _MODEL, "gone")
            return
        with TemporaryDirectory(prefix="mlflow-") as scratch:
            folder = Path(scratch)
            try:
                card = package(registry.read_model(version.version), folder)
            except ModelArchiveError:
                self.client.set_tag(run_id, _MODEL, "damaged")
                return
            documents = {"evaluation": version.evaluation, "decision": version.decision}
            for name, document in documents.items():
                text = json.dumps(document, indent=1, ensure_ascii=False)
                (folder / f"{name}.json").write_text(text, encoding="utf-8")
                self.client.log_artifact(run_id, str(folder / f"{name}.json"))
            self.client.log_artifacts(run_id, str(folder / "model"), "model")
        told = {"framework": card.framework, **card.hyperparameters}
        self.client.log_batch(
            run_id,
            params=[Param(name, str(value)) for name, value in told.items()],
            metrics=[
                Metric(name, float(value), run.info.start_time, 0)
                for name, value in _training_scores(card).items()
            ],
        )
        if not self._models(run_id):
            self.client.create_model_version(
                self.name,
                f"{run.info.artifact_uri}/model",
                run_id,
                tags=_facts(version),
                description=version.reason,
                await_creation_for=0,
            )
        self.client.set_tag(run_id, _MODEL, version.archive_sha256)

    def _models(self, run_id: str) -> list[MlflowModel]:
        """The registered model of a run, if it has one."""
        return [*self.client.search_model_versions(f"name = '{self.name}' and run_id = '{run_id}'")]

    def _send_report(self, run_id: str, page: bytes) -> None:
        from abalone_assets.modeling.evaluation.report.pictures import pictures_of

        with TemporaryDirectory(prefix="mlflow-") as scratch:
            folder = Path(scratch)
            (folder / "report.html").write_bytes(page)
            (folder / "pictures").mkdir()
            for name, picture in pictures_of(page.decode("utf-8", "replace")).items():
                (folder / "pictures" / f"{name}.svg").write_text(picture, encoding="utf-8")
            self.client.log_artifacts(run_id, str(folder))

    def point_to(self, live: ModelVersion | None) -> None:
        """Have the alias name the live version's model, or none."""
        models = self.client.search_model_versions(f"name = '{self.name}'")
        ours = {each.tags.get(IDENTITY): str(each.version) for each in models}
        wanted = None if live is None else ours.get(_identity(live))
        aliases = self.client.get_registered_model(self.name).aliases
        now = aliases.get(CHAMPION)
        if wanted is not None and str(now) != wanted:
            self.client.set_registered_model_alias(self.name, CHAMPION, wanted)
        elif wanted is None and now is not None:
            self.client.delete_registered_model_alias(self.name, CHAMPION)


def _training_scores(card: ModelCard) -> dict[str, float]:
    """RMSE and MAE in rings of each split, and out of fold."""
    parts = {**card.metrics, "out_of_fold": card.out_of_fold or {}}
    return {
        f"{part}_{name}": scores[name]
        for part, scores in parts.items()
        for name in ("rmse", "mae")
        if name in scores
    }


def _identity(version: ModelVersion) -> str:
    return f"{version.version}-{version.archive_sha256}"


def _told(version: ModelVersion) -> str:
    """What was said of a version, as a digest: people may decide on it anew."""
    said = json.dumps([FORMAT, _facts(version)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _facts(version: ModelVersion) -> dict[str, str]:
    """What one asks of a version first, as tags of its run and of its model."""
    data, provenance = version.evaluation.get(DATA) or {}, known_provenance(version)
    facts = {
        **(provenance.facts() if provenance else {}),
        _COMMIT: provenance.code.commit if provenance else None,
        IDENTITY: _identity(version),
        "version": version.version,
        "approval": version.status,
        "reason": version.reason,
        "gate": version.decision.get("reason", ""),
        "rule": version.decision.get("rule", ""),
        "release_digest": version.release_digest,
        "rows": data.get("rows"),
        "survey_days": data.get("days"),
        "first_survey_day": data.get("first_day"),
        "last_survey_day": data.get("last_day"),
    }
    return {name: str(each)[:_MOST] for name, each in facts.items() if each not in {None, ""}}
