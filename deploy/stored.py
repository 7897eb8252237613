"""The data of a deployment: what is left of it, and its deletion when that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.aws.failures import translate_errors
from abalone_assets.lake.releases import RELEASE_KEY
from deploy.config import LAKE_PREFIX, DeployError
from deploy.log_groups import LogGroups

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.cloudformation import Say, Stacks
    from deploy.config import DeployConfig

DELETED_AT_ONCE = 1000
"""Objects in one DeleteObjects request."""


@dataclass(frozen=True)
class StoredData:
    """Buckets, images and snapshots.

    Attributes:
        config: The deployment.
        account: Id of the account.
        region: Of the deployment.
        make_client: Makes the boto3 client of a service.
        say: Told, in lines, what happens.
    """

    config: DeployConfig
    account: str
    region: str
    make_client: Callable[[str], Any]
    say: Say

    @property
    def stack(self) -> str:
        """Name of the stack that buckets and images belong to."""
        return f"{self.config.name}-data"

    def delete(self, stacks: Stacks) -> None:
        """Empty and delete buckets and image repository, with their stack.

        Raises:
            DeployError: AWS refuses.
        """
        buckets = self._buckets()
        for bucket in buckets:
            self._empty(bucket)
        self._delete_images()
        stacks.delete(self.stack)
        for bucket in self._buckets():  # retained by the stack, and access logs may have come since
            self._empty(bucket)
            with translate_errors(DeployError, f"bucket {bucket}"):
                self.make_client("s3").delete_bucket(Bucket=bucket)
            self.say(f"bucket {bucket}: deleted")

    def forget_release(self) -> None:
        """Have the next deployment release again what the lake holds: what it released is gone.

        The record of the last release stays in the bucket, as an older version.

        Raises:
            DeployError: AWS refuses.
        """
        bucket, key = self._bucket("data"), f"{LAKE_PREFIX}/{RELEASE_KEY}"
        if bucket in self._buckets():
            with translate_errors(DeployError, f"bucket {bucket}"):
                self.make_client("s3").delete_object(Bucket=bucket, Key=key)

    def left(self, stacks: Stacks) -> list[str]:
        """What there still is, in words.

        Raises:
            DeployError: AWS refuses to say.
        """
        found = [f"bucket {bucket}" for bucket in self._buckets()]
        if self._has_repository():
            found.append(f"image repository {self.config.name}")
        if (status := stacks.status(self.stack)) is not None:
            found.append(f"stack {self.stack} ({status})")
        logs = LogGroups(self.config, self.make_client, self.say)
        return [*found, *self._snapshots(), *logs.left()]

    def _buckets(self) -> list[str]:
        """Our buckets that exist."""
        from botocore.exceptions import ClientError

        found = []
        for kind in ("data", "logs"):
            bucket = self._bucket(kind)
            with translate_errors(DeployError, f"bucket {bucket}"):
                try:
                    self.make_client("s3").head_bucket(Bucket=bucket)
                except ClientError as error:
                    if error.response["Error"]["Code"] not in {"404", "NoSuchBucket"}:
                        raise
                else:
                    found.append(bucket)
        return found

    def _bucket(self, kind: str) -> str:
        return f"{self.config.name}-{kind}-{self.account}-{self.region}"

    def _empty(self, bucket: str) -> None:
        """Delete every version of every object."""
        s3, count = self.make_client("s3"), 0
        with translate_errors(DeployError, f"bucket {bucket}"):
            pages = s3.get_paginator("list_object_versions").paginate(
                Bucket=bucket, PaginationConfig={"PageSize": DELETED_AT_ONCE}
            )
            for page in pages:
                versions = [
                    {"Key": each["Key"], "VersionId": each["VersionId"]}
                    for each in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
                ]
                if versions:
                    answer = s3.delete_objects(
                        Bucket=bucket, Delete={"Objects": versions, "Quiet": True}
                    )
                    if errors := answer.get("Errors"):
                        raise DeployError(f"bucket {bucket}: {errors[0]['Message']}")
                    count += len(versions)
        self.say(f"bucket {bucket}: {count} object versions deleted")

    def _has_repository(self) -> bool:
        from botocore.exceptions import ClientError

        with translate_errors(DeployError, f"image repository {self.config.name}"):
            try:
                self.make_client("ecr").describe_repositories(repositoryNames=[self.config.name])
            except ClientError as error:
                if error.response["Error"]["Code"] != "RepositoryNotFoundException":
                    raise
                return False
            return True

    def _delete_images(self) -> None:
        if self._has_repository():
            with translate_errors(DeployError, f"image repository {self.config.name}"):
                self.make_client("ecr").delete_repository(
                    repositoryName=self.config.name, force=True
                )
            self.say(f"image repository {self.config.name}: deleted")

    def _snapshots(self) -> list[str]:
        with translate_errors(DeployError, "database snapshots"):
            pages = (
                self.make_client("rds")
                .get_paginator("describe_db_snapshots")
                .paginate(SnapshotType="manual")
            )
            return [
                f"database snapshot {snapshot['DBSnapshotIdentifier']}"
                for page in pages
                for snapshot in page["DBSnapshots"]
                if snapshot["DBInstanceIdentifier"] == f"{self.config.name}-dagster"
            ]
