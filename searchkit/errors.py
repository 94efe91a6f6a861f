"""Every error that searchkit raises on purpose: what happened, to which thing, and what to do."""


class SearchkitError(Exception):
    """The root: the command catches this one only, and prints its message on one line."""


class UsageError(SearchkitError):
    """The request makes no sense as given: an empty query, a file instead of a folder."""


class ConfigError(SearchkitError):
    """A setting is unknown or has an impossible value."""


class CollectionNotFoundError(SearchkitError):
    """No collection has the name that was asked for, or there is none at all."""


class CollectionBusyError(SearchkitError):
    """Another process is writing to the collection."""


class CatalogError(SearchkitError):
    """A catalog cannot be read: damaged, or written by a newer searchkit."""


class ModelError(SearchkitError):
    """A model folder is damaged or cannot do what is asked of it."""


class ModelNotFoundError(ModelError):
    """No installed model has the name that was asked for, or none is installed."""


class UnsupportedCheckpointError(ModelError):
    """A checkpoint is not one that searchkit can turn into a model folder; the message says why."""


class HubError(SearchkitError):
    """A checkpoint cannot be fetched from the model hub: refused, not found, out of reach, or not what it should be."""


class UnreadableFileError(SearchkitError):
    """One file cannot be indexed; the message is the reason that `status` shows. Never fatal to a run.

    `remedy`: what the user can do about it, "" if there is nothing.
    """

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy
