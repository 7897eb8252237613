"""One job from its start to its end, as one session of Dagster sees it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from dagster._utils.interrupts import capture_interrupts

from abalone_assets.pipes._errors import (
    AWS_ERRORS,
    ClientError,
    PipesJobError,
    PipesJobParametersError,
    explain,
    is_transient,
)
from abalone_assets.pipes._job import JobExistsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from logging import Logger

    from dagster import PipesSession

    from abalone_assets.pipes._channel import ContextKeeper, ResultReader
    from abalone_assets.pipes._errors import Retry
    from abalone_assets.pipes._job import RemoteJob
    from abalone_assets.pipes._logs import CloudWatchTail

_ACKNOWLEDGE_SECONDS: Final = 10.0
_UNKNOWN_STATUS_SECONDS: Final = 3600.0


class JobFollower:
    """Starts a job, unless it is there, and follows it.

    Args:
        job: The job; it has a name already.
        poll_interval: Seconds between two looks at the job.
        log_grace: Seconds to wait for its last log lines.
        forward_termination: Whether to stop the job when it cannot be followed to its end.
    """

    def __init__(
        self,
        job: RemoteJob,
        *,
        log: Logger,
        retry: Retry,
        reader: ResultReader,
        tail: CloudWatchTail,
        poll_interval: float,
        log_grace: float,
        forward_termination: bool,
    ) -> None:
        self._job = job
        self._log = log
        self._retry = retry
        self._reader = reader
        self._tail = tail
        self._poll_interval = poll_interval
        self._log_grace = log_grace
        self._forward_termination = forward_termination
        self._progress: list[str] = []
        self._unknown_since: float | None = None
        self._may_exist = False
        self._title = f"{job.kind} {job.name}"

    def follow(
        self, session: PipesSession, injector: ContextKeeper, tags: Mapping[str, str]
    ) -> None:
        """Start the job and wait for its end; its context is kept while somebody may need it.

        Args:
            session: Of Pipes, open.
            injector: Holds the context.
            tags: Of a job that is started.

        Raises:
            PipesJobError: AWS refuses, or the job cannot be followed any more.
            PipesJobParametersError: The bootstrap does not fit into the service's limits.
        """
        injector.needed = True
        try:
            self._launch(session, tags)
            self._watch()
        except PipesJobParametersError:
            injector.needed = False
            raise
        except PipesJobError as error:
            stopped = self._stopped()
            injector.needed = not stopped
            raise self._lost(error, stopped=stopped) from error
        except BaseException:  # an interrupt, or whatever else ends the step
            injector.needed = not self._stopped()
            raise
        injector.needed = False

    def _launch(self, session: PipesSession, tags: Mapping[str, str]) -> None:
        job = self._job
        if not job.attached:
            bootstrap = session.get_bootstrap_env_vars()
            self._retry(f"start of {self._title}", lambda: self._create(bootstrap, tags))
        verb = "attached to" if job.attached else "started"
        self._log.info(f"[pipes] {verb} {self._title}: {job.url}")
        session.report_launched({"extras": {"job_name": job.name, "run_id": job.run_id}})

    def _watch(self) -> None:
        """Wait for the job's end; meanwhile handle its messages, statuses and logs."""
        job = self._job
        while True:
            self._retry(f"description of {self._title}", job.refresh)
            self._log_progress()
            self._retry(f"messages of {self._title}", self._reader.read_new)
            if job.is_over:
                break
            if job.is_overdue and job.status in job.active:
                self._log.warning(f"[pipes] stopping {self._title}: its longest run time is over")
                self._retry(f"stop of {self._title}", job.stop)
            self._look_for_unknown_status()
            self._tail.read_new(job.log_sources)
            time.sleep(self._poll_interval)
        self._tail.drain(job.log_sources, grace=self._log_grace)
        if job.status != job.succeeded:
            self._tail.show_ends(job.failure_log_sources)

    def _stopped(self) -> bool:
        """Stop the job where that is wanted; a second signal does not hinder.

        Returns:
            Whether the job stops, is over or never began.
        """
        if not self._forward_termination:
            return False
        with capture_interrupts():
            try:
                self._stop()
            except (PipesJobError, *AWS_ERRORS) as error:
                self._log.error(
                    f"[pipes] {self._title} could not be stopped and may go on and cost money: "
                    f"{explain(error)}; stop it here: {self._job.url}"
                )
                return False
        return True

    def _lost(self, error: PipesJobError, *, stopped: bool) -> PipesJobError:
        """The error of a job that cannot be followed any more, and what became of the job."""
        job = self._job
        if stopped and not job.description:
            return error  # it never began
        if stopped:
            fate = f"the job was told to stop and is {job.status}; a retry starts another"
        else:
            fate = (
                f"the job may go on and cost money: {job.url}; a retry of this step or run finds "
                "it, a new run does not"
            )
        return PipesJobError(f"{error.description}; {fate}", metadata=error.metadata)

    def failure(self, reason: str, metadata: Mapping[str, Any]) -> PipesJobError:
        """The error of a job that did not do its work."""
        lines = "\n".join(self._tail.last_lines)
        shown = f"\nLast lines of its log:\n{lines}" if lines else ""
        return PipesJobError(
            f"{self._title} {reason}\n{self._job.url}{shown}",
            metadata={**metadata, "aws/last_log_lines": lines},
        )

    def _create(self, bootstrap: Mapping[str, str], tags: Mapping[str, str]) -> None:
        may_have_existed, self._may_exist = self._may_exist, True
        try:
            self._job.create(bootstrap, tags)
        except JobExistsError:
            # Lost the race to another worker of the same run, or AWS took a request that seemed
            # to fail: either way the job is the one that was wanted.
            self._job.attached = True
            self._job.refresh()
        except ClientError as error:
            self._may_exist = may_have_existed or is_transient(error)
            raise

    def _log_progress(self) -> None:
        """Log the statuses that are new or have a new message, also those between two looks."""
        known = self._progress
        self._progress = list(self._job.progress)
        for index, text in enumerate(self._progress):
            if index >= len(known) or known[index] != text:
                self._log.info(f"[pipes] {self._title}: {text}")

    def _look_for_unknown_status(self) -> None:
        job = self._job
        if job.status in job.active or job.status == job.stopping:
            self._unknown_since = None
            return
        now = time.monotonic()
        if self._unknown_since is None:
            self._unknown_since = now
            self._log.warning(f"[pipes] {self._title} has the unknown status {job.status!r}")
        elif now - self._unknown_since > _UNKNOWN_STATUS_SECONDS:
            raise self.failure(f"has had the unknown status {job.status!r} for an hour", {})

    def _stop(self) -> None:
        job = self._job
        if not job.description:
            found = self._find_started()
            if found is None:
                return
            job.take(job.name, job.attempt, found)
        with suppress(*AWS_ERRORS):  # a job that cannot be seen can yet be stopped
            job.refresh()
        if job.is_over:
            return
        self._log.warning(f"[pipes] stopping {self._title}")
        self._retry.at_shutdown(f"stop of {self._title}", job.stop)
        self._await_acknowledgement()

    def _find_started(self) -> Mapping[str, Any] | None:
        """The job whose start was not answered; it may take a while to be seen."""
        job = self._job
        end = time.monotonic() + _ACKNOWLEDGE_SECONDS
        while self._may_exist:
            found = self._retry.at_shutdown(f"search for {self._title}", lambda: job.find(job.name))
            if found is not None or time.monotonic() >= end:
                return found
            time.sleep(min(self._poll_interval, 1.0))
        return None

    def _await_acknowledgement(self) -> None:
        job = self._job
        end = time.monotonic() + _ACKNOWLEDGE_SECONDS
        while not job.is_over and job.status != job.stopping and time.monotonic() < end:
            time.sleep(min(self._poll_interval, 1.0))
            with suppress(*AWS_ERRORS):
                job.refresh()
        self._log.warning(f"[pipes] {self._title} is now {job.status}")
