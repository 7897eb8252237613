"""The job that simulates a survey: launched by hand, so that no "Materialize all" lands one."""

import dagster as dg

from abalone_assets.defs.simulation.survey_synthesizer import survey_synthesizer
from abalone_assets.defs.simulation.synthetic_survey import SIMULATE_JOB, synthetic_survey


@dg.job(name=SIMULATE_JOB)
def simulate_survey_job() -> None:
    """Fit a synthesizer, unless it is fitted already, and draw a survey from it.

    With `land: true` the survey goes into the landing zone, is ingested, and begins a release. The
    recipes `ctgan` and `tvae` take minutes of all processors.
    """
    synthetic_survey(fitted=survey_synthesizer())
