"""Takes down what a trial made, whoever made it and however far it came."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from abalone_assets.aws.clients import client
from abalone_assets.aws.failures import AwsError, error_code, explain, found, translate_errors
from abalone_assets.doctor.live.account import ENDPOINT_LOGS, FOLDER, MARKER
from abalone_assets.doctor.live.cost import DELETION_SECONDS
from abalone_assets.errors import AbaloneError
from abalone_assets.pipes import PipesJobError
from abalone_assets.pipes.glue import GlueJobRun, tags_of
from abalone_assets.serving.sagemaker.removal import delete_endpoint
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.doctor.live.account import Account, Trial

STOPPING_SECONDS: Final = 600.0
"""A stopped job may save its work for two minutes, and its instance takes a while to end."""

_KINDS: Final = ("Training", "Processing")
_RUNNING: Final = frozenset({"InProgress", "Stopping"})


@dataclass(frozen=True)
class Removal:
    """Finds and removes trials of a deployment.

    Attributes:
        account: Where they are.
        say: Told, in lines, what is removed.
        poll_seconds: Wait between two looks at what is ending.
    """

    account: Account
    say: Callable[[str], None]
    poll_seconds: float

    def trials(self) -> list[Trial]:
        """The trials of which anything is left, by the names of what is.

        Raises:
            AwsError: AWS refuses to say.
            StorageError: S3 refuses to say.
        """
        keys = (stored.key.split("/")[1] for stored in self.account.jobs.list(f"{FOLDER}/"))
        with translate_errors(AwsError, "what earlier trials left"):
            names = {
                *keys,
                *self._names_in_sagemaker(),
                *self._names_of_scaled(),
                *self._names_of_log_groups(),
                *self._names_of_captured(),
            }
        own = {trial for name in names if (trial := self.account.trial_of(name))}
        return [self.account.trial(name) for name in sorted(own)]

    def remove(self, trial: Trial) -> list[str]:
        """Remove all of a trial, the marker last: what cannot be removed keeps nothing else.

        Returns:
            What is left, and why; nothing, if all went well.
        """
        parts: dict[str, Callable[[Trial], None]] = {
            "jobs": self._jobs,
            "endpoint": self._endpoint,
            "model packages": self._packages,
            "log groups": self._log_groups,
            "captured requests": self._captured,
            "objects": self._objects,
        }
        left = []
        for what, remove in parts.items():
            try:
                with translate_errors(AwsError, f"{what} of {trial.name}"):
                    remove(trial)
            except AbaloneError as error:
                left.append(f"{what} of {trial.name}: {error}")
        if not left:
            try:
                trial.store.delete(MARKER)
            except AbaloneError as error:
                left.append(str(error))
        return left

    def _names_in_sagemaker(self) -> Iterator[str]:
        for operation, entries, name in (
            ("list_endpoints", "Endpoints", "EndpointName"),
            ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
            ("list_models", "Models", "ModelName"),
            (
                "list_model_package_groups",
                "ModelPackageGroupSummaryList",
                "ModelPackageGroupName",
            ),
        ):
            pages = self.account.sagemaker.get_paginator(operation)
            for page in pages.paginate(NameContains=self.account.prefix):
                yield from (entry[name] for entry in page[entries])

    def _names_of_scaled(self) -> Iterator[str]:
        pages = self.account.autoscaling.get_paginator("describe_scalable_targets")
        for page in pages.paginate(ServiceNamespace="sagemaker"):
            # Such as endpoint/NAME/variant/AllTraffic.
            yield from (target["ResourceId"].split("/")[1] for target in page["ScalableTargets"])

    def _names_of_log_groups(self) -> Iterator[str]:
        """An instance that ends may write a last line, which makes its log group anew."""
        pages = self.account.logs.get_paginator("describe_log_groups")
        for page in pages.paginate(logGroupNamePrefix=f"{ENDPOINT_LOGS}/{self.account.prefix}"):
            yield from (group["logGroupName"].rpartition("/")[2] for group in page["logGroups"])

    def _names_of_captured(self) -> Iterator[str]:
        """Requests are captured some time after they were answered."""
        parts = urlsplit(f"{self.account.capture_uri}/{self.account.prefix}")
        pages = client("s3").get_paginator("list_objects_v2")
        for page in pages.paginate(
            Bucket=parts.netloc, Prefix=parts.path.lstrip("/"), Delimiter="/"
        ):
            folders = (each["Prefix"] for each in page.get("CommonPrefixes", ()))
            yield from (folder.rstrip("/").rpartition("/")[2] for folder in folders)

    def _jobs(self, trial: Trial) -> None:
        """Stop the jobs and wait for their end: until then they write objects."""
        deadline = time.monotonic() + STOPPING_SECONDS
        asked: dict[str, str] = {}
        while running := [*self._sagemaker_jobs(trial), *self._glue_runs(trial)]:
            for name, may_be_stopped, stop in running:
                if asked.get(name):
                    raise AwsError(f"{name} may go on and cost money: {asked[name]}")
                if may_be_stopped and name not in asked:
                    self.say(f"{name}: stopping")
                    asked[name] = _refusal(stop)  # of one that has ended meanwhile it says nothing
            if time.monotonic() > deadline:
                names = ", ".join(name for name, *_ in running)
                raise AwsError(f"{names}: not stopped after {STOPPING_SECONDS:.0f} s")
            time.sleep(self.poll_seconds)

    def _sagemaker_jobs(self, trial: Trial) -> Iterator[tuple[str, bool, Callable[[], object]]]:
        sagemaker = self.account.sagemaker
        for kind in _KINDS:
            stop = getattr(sagemaker, f"stop_{kind.lower()}_job")
            pages = sagemaker.get_paginator(f"list_{kind.lower()}_jobs")
            for page in pages.paginate(NameContains=trial.name):
                for job in page[f"{kind}JobSummaries"]:
                    name, status = job[f"{kind}JobName"], job[f"{kind}JobStatus"]
                    if status in _RUNNING and name.startswith(f"{trial.name}-"):
                        request = {f"{kind}JobName": name}
                        yield (
                            f"{kind.lower()} job {name}",
                            status == "InProgress",
                            partial(stop, **request),
                        )

    def _glue_runs(self, trial: Trial) -> Iterator[tuple[str, bool, Callable[[], object]]]:
        glue, job = self.account.glue, self.account.glue_job
        request = {"JobName": job}
        for page in glue.get_paginator("get_job_runs").paginate(**request):
            for description in page["JobRuns"]:
                run = GlueJobRun(glue, request, max_runtime_seconds=0)
                run.take(description["Id"], 1, description)
                is_own = trial.channel in tags_of(description).values()
                if is_own and not run.is_over:
                    yield f"run {run.run_id} of {job}", run.status in run.active, run.stop

    def _endpoint(self, trial: Trial) -> None:
        left = delete_endpoint(
            trial.name,
            self.account.sagemaker,
            autoscaling=self.account.autoscaling,
            poll_seconds=self.poll_seconds,
            timeout_seconds=DELETION_SECONDS,
            on_progress=self.say,
        )
        if left:
            raise AwsError(f"still there: {', '.join(left)}")

    def _packages(self, trial: Trial) -> None:
        from botocore.exceptions import ClientError

        sagemaker, group = self.account.sagemaker, {"ModelPackageGroupName": trial.name}
        if found(sagemaker.describe_model_package_group, **group) is None:
            return
        for page in sagemaker.get_paginator("list_model_packages").paginate(**group):
            for package in page["ModelPackageSummaryList"]:
                found(sagemaker.delete_model_package, ModelPackageName=package["ModelPackageArn"])
        try:
            sagemaker.delete_model_package_group(**group)
        except ClientError as error:
            if error_code(error) not in {"ResourceNotFound", "ValidationException"}:
                raise
            if found(sagemaker.describe_model_package_group, **group) is not None:
                raise
        self.say(f"model package group {trial.name}: deleted")

    def _log_groups(self, trial: Trial) -> None:
        from botocore.exceptions import ClientError

        for name in trial.log_groups:
            try:
                self.account.logs.delete_log_group(logGroupName=name)
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
            else:
                self.say(f"log group {name}: deleted")

    def _captured(self, trial: Trial) -> None:
        _delete_all(ObjectStore(trial.captured_uri))

    def _objects(self, trial: Trial) -> None:
        if number := _delete_all(trial.store, but=MARKER):
            self.say(f"{number} objects below {trial.jobs_uri}: deleted")


def _refusal(stop: Callable[[], object]) -> str:
    """Ask a job to stop; why it may not be stopped, or nothing."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        stop()
    except (BotoCoreError, ClientError) as error:
        return explain(error)
    except PipesJobError as error:
        return str(error.description)
    return ""


def _delete_all(store: ObjectStore, *, but: str = "") -> int:
    keys = [stored.key for stored in store.list() if stored.key != but]
    for key in keys:
        store.delete(key)
    return len(keys)
