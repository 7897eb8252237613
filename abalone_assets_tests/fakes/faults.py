"""What goes wrong on AWS, on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abalone_assets_tests.fakes.server import RefusedRequestError

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.calls import Call

FOREVER = 10**9
_EXPIRED = "The security token included in the request is expired"


@dataclass
class _Refusal:
    code: str
    message: str
    left: int


@dataclass
class Faults:
    """Each attribute or method is one fault; nothing is wrong to begin with.

    Attributes:
        job_seconds: Every job waits so long (status ``Starting``) before its script runs.
        log_seconds: Log streams appear so long after their job has started, or even ended.
        endpoint_seconds: Creating or updating an endpoint takes at least so long.
        interrupt_spot_after: The next managed spot training job is interrupted once, so many
            seconds after its script has started.
    """

    job_seconds: float = 0.0
    log_seconds: float = 0.0
    endpoint_seconds: float = 0.2
    interrupt_spot_after: float | None = None
    _refusals: dict[str, _Refusal] = field(default_factory=dict)
    _job_ends: list[tuple[str, str]] = field(default_factory=list)
    _update_failures: list[str] = field(default_factory=list)
    _expired: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def throttle(self, operation: str, times: int = 1) -> None:
        """Refuse the next requests of an operation, such as ``DescribeTrainingJob``."""
        self.refuse(operation, "ThrottlingException", "Rate exceeded", times)

    def deny(self, operation: str, times: int = FOREVER) -> None:
        """The caller's role may not do this."""
        self.refuse(
            operation,
            "AccessDeniedException",
            f"User: arn:aws:sts::123456789012:assumed-role/abalone/test is not authorized to "
            f"perform: {operation} because no identity-based policy allows the action",
            times,
        )

    def refuse(self, operation: str, code: str, message: str, times: int = 1) -> None:
        """Answer the next requests of an operation by an error of one's choice."""
        with self._lock:
            self._refusals[operation] = _Refusal(code, message, times)

    def expire_credentials(self) -> None:
        """Refuse everything until `renew_credentials`."""
        self._expired = True

    def renew_credentials(self) -> None:
        """End of `expire_credentials`."""
        self._expired = False

    def fail_next_job(self, reason: str, state: str = "FAILED") -> None:
        """End the next job without running it.

        Args:
            reason: The job's ``FailureReason`` or ``ErrorMessage``.
            state: For a Glue run: ``FAILED``, ``ERROR``, ``TIMEOUT`` or ``EXPIRED``. A SageMaker
                job always ends as ``Failed``.
        """
        self._job_ends.append((state, reason))

    def stop_next_job(self) -> None:
        """Stop the next job as somebody in the console would, before its script runs."""
        self._job_ends.append(("STOPPED", ""))

    def fail_next_update(self, reason: str) -> None:
        """Roll the next creation or update of an endpoint back."""
        self._update_failures.append(reason)

    def check(self, call: Call) -> None:
        """Refuse a request, when that is its fate.

        Raises:
            RefusedRequestError: It is.
        """
        json_service = call.service not in {"s3", "sts", "iam"}
        if self._expired:
            code = "ExpiredTokenException" if json_service else "ExpiredToken"
            raise RefusedRequestError(code, _EXPIRED)
        with self._lock:
            refusal = self._refusals.get(call.operation)
            if refusal is None or refusal.left <= 0:
                return
            refusal.left -= 1
        raise RefusedRequestError(_spelling(refusal.code, call.service), refusal.message)

    def take_job_end(self) -> tuple[str, str] | None:
        """State and reason by which the next job must end, or None for it to run."""
        return self._job_ends.pop(0) if self._job_ends else None

    def take_update_failure(self) -> str | None:
        """Why the next deployment must fail, or None."""
        return self._update_failures.pop(0) if self._update_failures else None

    def take_spot_interruption(self) -> float | None:
        """Seconds after which the next spot job is interrupted, or None."""
        seconds, self.interrupt_spot_after = self.interrupt_spot_after, None
        return seconds


def _spelling(code: str, service: str) -> str:
    """The same error as S3 and the query services spell it."""
    if service == "s3":
        s3 = {"ThrottlingException": "SlowDown", "AccessDeniedException": "AccessDenied"}
        return s3.get(code, code)
    if service in {"sts", "iam"}:
        return {"ThrottlingException": "Throttling"}.get(code, code.removesuffix("Exception"))
    return code
