"""The survey contract: columns, units, rules, file names and the one parser of survey files.

A survey is a CSV file of nine fields in the UCI Abalone order, or as its header says, one animal a
line, called ``abalone.YYYYMMDDHHMMSS`` (UTC); animals whose rings nobody counted come in files of
eight fields, ``animals.YYYYMMDDHHMMSS``. A record that breaks a hard rule is quarantined with
its place and its raw text; one that only looks odd (:data:`SOFT_RULES`) is kept and counted.

The package needs the standard library and :mod:`abalone_assets.errors` only, and Python 3.10 or
later: model archives carry a copy of it, so that a served model judges a request as ingestion
judges a file.
"""

from abalone_assets.survey.canonical import canonical_survey
from abalone_assets.survey.columns import (
    AGE_OFFSET_YEARS,
    COLUMNS,
    FEATURES,
    MAX_RINGS,
    MEASUREMENT_DECIMALS,
    MEASUREMENTS,
    SEXES,
    TARGET,
    Column,
    age_years,
)
from abalone_assets.survey.days import parse_day, parse_time
from abalone_assets.survey.dialect import Reading
from abalone_assets.survey.file_names import (
    ANIMALS,
    SURVEYS,
    FileKind,
    kind_of_file,
    landed_day,
    survey_day,
    survey_file_name,
    survey_time,
)
from abalone_assets.survey.parsed import ParsedSurvey, QuarantinedRow, UnreadableSurveyError
from abalone_assets.survey.parser import MAX_BAD_SHARE, MIN_BAD_RECORDS, parse_survey
from abalone_assets.survey.records import MAX_FILE_BYTES
from abalone_assets.survey.rules import SurveyRowError, validate_measurements
from abalone_assets.survey.soft_rules import (
    SOFT_RULES,
    SoftRule,
)

__all__ = [
    "AGE_OFFSET_YEARS",
    "ANIMALS",
    "COLUMNS",
    "FEATURES",
    "MAX_BAD_SHARE",
    "MAX_FILE_BYTES",
    "MAX_RINGS",
    "MEASUREMENTS",
    "MEASUREMENT_DECIMALS",
    "MIN_BAD_RECORDS",
    "SEXES",
    "SOFT_RULES",
    "SURVEYS",
    "TARGET",
    "Column",
    "FileKind",
    "ParsedSurvey",
    "QuarantinedRow",
    "Reading",
    "SoftRule",
    "SurveyRowError",
    "UnreadableSurveyError",
    "age_years",
    "canonical_survey",
    "kind_of_file",
    "landed_day",
    "parse_day",
    "parse_survey",
    "parse_time",
    "survey_day",
    "survey_file_name",
    "survey_time",
    "validate_measurements",
]
