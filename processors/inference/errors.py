"""What can be wrong with a model, wherever that is found: where one is added, in an attempt, in the companion."""

from __future__ import annotations

import errno

#: what the system says when it is short of something that it may have again in a moment
_SHORTAGES = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EAGAIN, errno.ENOSPC})


class ModelError(Exception):
    """A model cannot be used. The message is one sentence for the user, and names the model."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class NoSuchModel(ModelError):
    """There is no model of this name, or no such version of it."""


class UnsafeModel(ModelError):
    """A model that is not what its manifest says, is not whole, or could do harm when it is loaded."""


class NotFinite(ModelError):
    """What a model gives are no numbers: NaN, or infinite ones."""

    def __init__(self, reference: str, where: str) -> None:
        message = f"The model {reference} gives NaN or infinite numbers: {where}."
        super().__init__("not_finite", message, "Is the input what it was made for? Are its weights whole?")


def is_shortage(error: Exception) -> bool:
    """Whether the system lacked something that another attempt may find: memory, open files, a disk that answers."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SHORTAGES)
