"""What can stand in the way of training; each message says what to do."""

from searchkit.errors import SearchkitError


class TrainingError(SearchkitError):
    """Nothing can be trained with what there is, or nothing came of it; the old model stays as it is."""


class ExtraMissingError(TrainingError):
    """The extra [train] is not installed."""
