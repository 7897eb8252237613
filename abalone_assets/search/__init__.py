"""The search for better hyperparameters, on the training rows alone.

`run_study` tries hyperparameters one after another, and `Study.proposal` says whether the best of
them are worth changing to. What was tried is kept as a table (`trials.trials_frame`), by which an
interrupted study goes on as if it had never stopped.
"""

from abalone_assets.search.proposal import Proposal
from abalone_assets.search.sample import SearchError
from abalone_assets.search.spaces import PARTS, SPACES, Part, searched_framework
from abalone_assets.search.study import Study, StudyPlan, run_study, study_key
from abalone_assets.search.trials import Trial, best_of, trials_of_part

__all__ = [
    "PARTS",
    "SPACES",
    "Part",
    "Proposal",
    "SearchError",
    "Study",
    "StudyPlan",
    "Trial",
    "best_of",
    "run_study",
    "searched_framework",
    "study_key",
    "trials_of_part",
]
