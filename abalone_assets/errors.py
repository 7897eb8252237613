"""The errors of this project, and how their messages count things.

They have one root, so that callers can catch all of them at a boundary.
"""


class AbaloneError(Exception):
    """Something the user can mend; the message says what is wrong and what to do about it."""


class SettingsError(AbaloneError):
    """An environment variable is missing, unknown or malformed."""


class StorageError(AbaloneError):
    """An object cannot be read, written or found where it should be."""


class DamagedError(StorageError):
    """An object is there, and is not what it should be: to read it again changes nothing."""


class SurveyError(AbaloneError):
    """A file or a row cannot be a survey."""


class ModelArchiveError(AbaloneError):
    """A model archive is damaged, unsafe to extract or lacks a required member."""


class EndpointError(AbaloneError):
    """The endpoint refused a version, answered wrongly or did not answer."""


class PartitionError(AbaloneError):
    """A run was launched over days that are no partitions, or over none."""


def counted(number: int, noun: str) -> str:
    """The number and its noun: 1 row, 2 rows; of several words the first: 1 day of animals."""
    first, *others = noun.split(" of ", 1)
    plural = first if number == 1 else f"{first}s"
    return " of ".join([f"{number} {plural}", *others])
