"""After a failure: what AWS said, and who has to do what about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from abalone_assets.aws.failures import explain
from abalone_assets.doctor.finding import Outcome, TroubleError
from abalone_assets.errors import AbaloneError

DOCUMENTED: Final = "docs/deployment.md, Prove an account, lists all that it needs"
LONGEST: Final = 1600
"""Characters of what is told of a failure."""

AGAIN: Final = "run `abalone doctor --live` again"

_DENIED: Final = re.compile(
    r"(?:access denied: |User: )(?P<who>\S+(?: identity)?) "
    r"(?:may not|is not authorized to perform:) (?P<action>[\w:-]+)"
    r"(?: on (?:resource: )?\"?(?P<resource>[^\s\";,]+))?"
)
_REFUSED: Final = re.compile(r"access denied to (?P<what>S3 \w+|\w+)")
S3_ACTIONS: Final = {
    "S3 PUT": "s3:PutObject",
    "S3 GET": "s3:GetObject and s3:ListBucket",
    "S3 POST": "s3:DeleteObject",
    "S3 DELETE": "s3:DeleteObject",
}
"""What S3 checks for a request of an HTTP method."""

_REMEDIES: Final = {
    r"ResourceLimitExceeded|service limit|account-level": "ask for more in the console (Service "
    "Quotas, Amazon SageMaker), or choose another instance type; `abalone doctor` compares them",
    r"ConcurrentRunsExceeded": "a release prepares its data in the Glue job: wait for its end",
    r"InsufficientCapacity|CapacityError": "AWS lacks such instances now: try again later, or "
    "choose another instance type",
    r"credentials": "sign in: `aws sso login`, AWS_PROFILE, or a role",
    r"do(es)? not exist|no such|EntityNotFound|NoSuchBucket|could not find": "run `make deploy`; "
    "`abalone doctor` names what is missing",
    r"ping health check|InstallModuleError": "the container cannot load the model: the last "
    "lines of its log say why; compare the image with the versions that the project is tested with",
    r"[Aa]larm": "the alarms watch the live endpoint: find out why they ring, then try again",
    r"Throttling|Rate exceeded|too often|TooManyRequests": "AWS was busy: try again",
}
"""What to do, by a word of what AWS said; the first that fits counts."""

_OTHERWISE: Final = (
    "see what it names in the AWS console (the job's page and log are linked above), mend it, and "
    + AGAIN
)


@dataclass(frozen=True)
class Roles:
    """Who makes which calls.

    Attributes:
        jobs: Name of the role of SageMaker's jobs and the endpoint.
        glue: Name of the role of the Glue job.
    """

    jobs: str
    glue: str

    def of(self, who: str) -> str:
        """Whose policy has to allow what an identity was denied, in words."""
        parts = who.split("/")
        if len(parts) > 1 and parts[1] == self.jobs:
            return f"the role {self.jobs}, with which SageMaker's jobs and the endpoint run"
        if len(parts) > 1 and parts[1] == self.glue:
            return f"the role {self.glue}, with which the Glue job runs"
        return ""


def judged(error: Exception, roles: Roles) -> tuple[Outcome, str, str]:
    """How bad an error is, what it says in one line, and what to do about it."""
    if isinstance(error, TroubleError):
        return error.outcome, str(error), error.remedy
    said = str(error) if isinstance(error, AbaloneError) else _words(error)
    found = " ".join(said.split()) or type(error).__name__
    return "failed", _shortened(found), remedy(found, roles)


def remedy(found: str, roles: Roles) -> str:
    """What to do about what AWS said."""
    if (denied := _DENIED.search(found)) is not None:
        action, resource = denied["action"], denied["resource"]
        where = f" on {resource}" if resource and resource != "because" else ""
        if service_role := roles.of(denied["who"]):
            return (
                f"allow {action}{where} to {service_role}: `make deploy` gives it what releases"
                " need; a policy of your organisation may take it away"
            )
        return f"allow {action}{where} to {denied['who']}, who runs this command; {DOCUMENTED}"
    if (denied := _REFUSED.search(found)) is not None:
        action = S3_ACTIONS.get(denied["what"], denied["what"])
        return f"allow {action} to the identity that runs this command; {DOCUMENTED}"
    return next((what for words, what in _REMEDIES.items() if re.search(words, found)), _OTHERWISE)


def _shortened(text: str) -> str:
    """Both ends of a text: what went wrong, and a log's last lines."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}"


def _words(error: Exception) -> str:
    """An error's own words: a Dagster failure's description, an AWS error explained."""
    description = getattr(error, "description", None)
    if description:
        return str(description)
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, BotoCoreError | ClientError):
        return explain(error)
    return f"{type(error).__name__}: {error}"
