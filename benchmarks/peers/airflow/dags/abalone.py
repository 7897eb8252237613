"""The book's tasks over our own functions: a sensor on the landing zone, then a task a step."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import PokeReturnValue, dag, task

POKE_SECONDS = 1.0


@dag(
    schedule="@continuous",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
)
def abalone() -> None:
    """From a landed survey to the endpoint."""

    @task.sensor(poke_interval=POKE_SECONDS, timeout=24 * 3600, mode="poke")
    def landed() -> PokeReturnValue:
        from benchmarks.plain_release import days_due

        days = days_due()
        return PokeReturnValue(is_done=bool(days), xcom_value=days)

    @task
    def ingest(days: list[str]) -> None:
        from benchmarks.plain_release import ingest_days

        ingest_days(days)

    @task
    def prepare() -> None:
        from benchmarks import plain_release

        plain_release.prepare()

    @task
    def train() -> None:
        from benchmarks import plain_release

        plain_release.train()

    @task
    def evaluate() -> None:
        from benchmarks import plain_release

        plain_release.evaluate()

    @task
    def approve() -> int | None:
        from benchmarks import plain_release

        return plain_release.approve()

    @task
    def deploy(version: int | None) -> None:
        from benchmarks import plain_release

        plain_release.deploy(version)

    ingested, prepared, trained, evaluated = ingest(landed()), prepare(), train(), evaluate()
    approved = approve()
    ingested >> prepared >> trained >> evaluated >> approved >> deploy(approved)


abalone()
