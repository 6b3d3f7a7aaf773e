"""What is said of a document that has a password, whatever format it is in."""

from __future__ import annotations

from processors.worker.context import Rejected


def missing(name: str) -> Rejected:
    """It has one, and none came with the job."""
    return Rejected(
        "password_needed",
        f"{name} is protected with a password.",
        "Give it with --password-file or --password (the field password).",
    )


def wrong(name: str) -> Rejected:
    """Another one came."""
    hint = "Small and capital letters and spaces count. Give the right one with --password-file or --password."
    return Rejected("wrong_password", f"The password does not open {name}.", hint)
