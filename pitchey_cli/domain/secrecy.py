"""What may be shown of a spec, and kept of it when its job has ended: each spec says which of its fields are secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from processors.vocabulary import Service


def masked(service: Service, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A spec, or some of its fields, with `***` in place of each secret. Whatever shows a spec shows this."""
    from processors.specs import SPECS  # late: most commands show none, and start faster without

    return SPECS[service].masked(fields)


def knows_secrets(service: Service) -> bool:
    """Whether a spec of the service may have any: most cannot, and some hold a whole program that need not be read."""
    from processors.specs import SPECS

    return SPECS[service].has_secrets()


def has_secret(service: Service, spec: Mapping[str, Any]) -> bool:
    """Whether a spec has a secret that is not masked."""
    return masked(service, spec) != spec
