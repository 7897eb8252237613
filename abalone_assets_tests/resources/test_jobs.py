"""What an asset shows of the job that it waited for: first meanings, never a constant."""

from __future__ import annotations

from abalone_assets.resources.jobs import JobReport


def test_work_in_the_runs_own_process_shows_where_and_how_long_and_nothing_else() -> None:
    # `attempt` and `billable_seconds`, the same each time, once were the first plots of a model.
    assert JobReport(1.23456).metadata() == {
        "platform": "the run's own process",
        "seconds": 1.235,
    }


def test_a_job_of_its_own_shows_its_pages_and_what_it_cost() -> None:
    job = JobReport(
        60.0,
        "SageMaker training, 1 x ml.m5.large",
        "https://job",
        "https://logs",
        billable_seconds=41,
        estimated_cost_usd=0.1,
    )
    shown = job.metadata()
    assert (shown["billable_seconds"], shown["estimated_cost_usd"]) == (41, 0.1)
    assert {"job", "logs"} <= shown.keys()
    assert not {"attempt", "attached"} & shown.keys()


def test_a_job_that_was_tried_again_or_found_says_so() -> None:
    shown = JobReport(1.0, "Glue", "https://job", attempt=2, attached=True).metadata()
    assert (shown["attempt"], shown["attached"]) == (2, True)
