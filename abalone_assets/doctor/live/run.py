"""One trial from its cost to its clean-up, whatever happens in between."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.clients import client, region
from abalone_assets.aws.failures import AwsError, translate_errors
from abalone_assets.doctor.finding import Finding
from abalone_assets.doctor.live.account import FOLDER, Account
from abalone_assets.doctor.live.cost import Cost, costs, statement, total
from abalone_assets.doctor.live.interrupts import InterruptedTrialError, Interrupts
from abalone_assets.doctor.live.proof import Proof
from abalone_assets.doctor.live.releases import Releases
from abalone_assets.doctor.live.remedies import AGAIN, Roles, judged
from abalone_assets.doctor.live.removal import Removal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abalone_assets.doctor.live.account import Trial
    from abalone_assets.settings.aws import AwsSettings

CLEAN_UP: Final = "abalone doctor --live --clean-up"
ANSWER_SECONDS: Final = 10.0
"""AWS has done by then what a call asked for whose answer nobody awaited."""

LEFTOVERS: Final = "earlier trials"
REMOVED: Final = "clean-up"


@dataclass
class LiveReport:
    """How a trial went.

    Attributes:
        trial: Its name; empty when none was begun.
        findings: What was found, step by step.
        seconds: Wall time of each step, in the same order.
        signal: Number of the signal that cut it short; 0 when none did.
        interrupted: Whether it was cut short.
        jobs_usd: What its jobs cost by their billed seconds, at list prices.
    """

    trial: str = ""
    findings: list[Finding] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    signal: int = 0
    interrupted: bool = False
    jobs_usd: float = 0.0

    def add(self, finding: Finding, seconds: float) -> None:
        """Note a step's end."""
        self.findings.append(finding)
        self.seconds.append(seconds)

    def interrupt(self, error: KeyboardInterrupt) -> None:
        """Note that it was cut short."""
        self.interrupted = True
        self.signal = error.number if isinstance(error, InterruptedTrialError) else signal.SIGINT

    @property
    def failed(self) -> bool:
        """Whether a step failed."""
        return any(finding.outcome == "failed" for finding in self.findings)


class LiveDoctor:
    """Proves an account by a trial.

    Args:
        aws: The settings.
        resources: The platform's resources of the profile aws, by the names that assets ask for.
        say: Told, in lines, how it goes on.

    Raises:
        SettingsError: A parameter is missing or cannot be read.
        AwsError: AWS refuses to say who is asking, or what the Glue job is like.
    """

    def __init__(
        self, aws: AwsSettings, resources: Mapping[str, Any], say: Callable[[str], None]
    ) -> None:
        self.account = Account.of(aws)
        self._releases = Releases.of(resources)
        self._started = time.monotonic()
        self._say = say
        with translate_errors(AwsError, "this identity"):
            self.identity = str(client("sts").get_caller_identity()["Arn"])
        with translate_errors(AwsError, f"the Glue job {self.account.glue_job}"):
            glue_job = self.account.glue.get_job(JobName=self.account.glue_job)["Job"]
        self._roles = Roles(self.account.job_role, glue_job["Role"].rpartition("/")[2])
        self.costs: list[Cost] = costs(aws, glue_job)
        self._removal = Removal(self.account, self._tell, aws.poll_seconds)

    def plan(self) -> list[str]:
        """What is about to happen, and what it costs at most: for whoever has to agree."""
        made = (
            f"As {self.identity}, in {region()}: a run of the Glue job {self.account.glue_job}, a"
            " training job, a processing job, two model packages and an endpoint, made, asked,"
            f" updated and deleted, all named {self.account.prefix}… and below"
            f" {self.account.jobs.uri}/{FOLDER}/. The live endpoint, registry, lake and surveys are"
            " left alone."
        )
        return [made, *(f"- {line}" for line in statement(self.costs))]

    def prove(self) -> LiveReport:
        """Remove what earlier trials left, make one, and remove that, however it ends."""
        report, trial = LiveReport(), self.account.new_trial()
        self._started = time.monotonic()
        with Interrupts(self._tell) as interrupts:
            try:
                try:
                    if self._remove_earlier(report, even_elsewhere=False):
                        report.trial = trial.name
                        self._make(trial, report)
                finally:
                    interrupts.shielded = True
            except KeyboardInterrupt as interrupt:
                report.interrupt(interrupt)
            finally:
                self._remove(trial, report)
        return report

    def clean_up(self) -> LiveReport:
        """Remove what earlier trials left, also those of other machines; starts nothing."""
        report = LiveReport()
        self._started = time.monotonic()
        with Interrupts(self._tell):
            try:
                self._remove_earlier(report, even_elsewhere=True)
            except KeyboardInterrupt as interrupt:
                report.interrupt(interrupt)
        return report

    @property
    def bounds(self) -> dict[str, Any]:
        """The costs, for a program."""
        bound, expected, unknown = total(self.costs)
        return {
            "cost_bound_usd": round(bound, 4),
            "usual_cost_usd": round(expected, 4),
            "costs": [
                {"what": each.what, "bound_usd": each.bound, "longest_seconds": each.longest}
                for each in self.costs
            ],
            "unknown_prices": unknown,
        }

    def _make(self, trial: Trial, report: LiveReport) -> None:
        proof = Proof(self.account, trial, self._releases.for_trial(trial), self._tell)
        try:
            for subject, step in {"trial": lambda: self._begun(trial), **proof.steps()}.items():
                if not self._done(subject, step, report):
                    return
        finally:
            report.jobs_usd = proof.cost

    def _begun(self, trial: Trial) -> str:
        trial.begin()
        return trial.name

    def _done(self, subject: str, step: Callable[[], str], report: LiveReport) -> bool:
        """Whether a step went so well that the next one makes sense."""
        started = time.monotonic()
        self._tell(f"{subject} …")
        try:
            finding = Finding(subject, "ok", step())
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest is cleaned up
            finding = Finding(subject, *judged(error, self._roles))
        except BaseException:
            finding = Finding(subject, "failed", "interrupted", AGAIN)
            report.add(finding, time.monotonic() - started)
            raise
        seconds = time.monotonic() - started
        report.add(finding, seconds)
        self._tell(f"{subject}: {finding.outcome}, {seconds:.0f} s: {finding.found}")
        return finding.outcome != "failed"

    def _remove_earlier(self, report: LiveReport, *, even_elsewhere: bool) -> bool:
        """Remove what earlier trials left, but for one that somebody is making."""

        def remove() -> str:
            removed, kept, left = [], [], []
            for trial in self._removal.trials():
                maker = trial.made_elsewhere()
                if maker and not even_elsewhere:
                    kept.append(f"{trial.name} is left to {maker}; `{CLEAN_UP}` removes it")
                    continue
                self._tell(f"{trial.name} was left; removing it")
                left += self._removal.remove(trial)
                removed.append(trial.name)
            if left:
                raise AwsError("; ".join(left))
            told = [f"removed {', '.join(removed)}"] if removed else []
            return "; ".join([*told, *kept]) or "nothing is left of any"

        return self._done(LEFTOVERS, remove, report)

    def _remove(self, trial: Trial, report: LiveReport) -> None:
        """Remove a trial, and look whether that is so."""
        if not report.trial:
            return  # nothing was begun

        def remove() -> str:
            left = self._removal.remove(trial)
            if report.interrupted:  # a call that was cut short may take effect only now
                time.sleep(min(self._removal.poll_seconds, ANSWER_SECONDS))
                left = self._removal.remove(trial)
            if not left and trial in self._removal.trials():
                left = [f"something of {trial.name} is still listed"]
            if left:
                raise AwsError("; ".join(left))
            return f"nothing is left of {trial.name}"

        if not self._done(REMOVED, remove, report):
            last = report.findings[-1]
            told = f"{last.remedy}; then `{CLEAN_UP}`: what is left costs money"
            report.findings[-1] = Finding(last.subject, last.outcome, last.found, told)

    def _tell(self, line: str) -> None:
        seconds = int(time.monotonic() - self._started)
        self._say(f"[{seconds // 60:2d}:{seconds % 60:02d}] {line}")
