"""What can be wrong with a model, wherever that is found: where one is added, in an attempt, in the companion."""

from __future__ import annotations


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
