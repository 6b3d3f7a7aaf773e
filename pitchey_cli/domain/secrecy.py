"""What may be shown of a spec, and kept of it when its job has ended: each spec says which of its fields are secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from processors.vocabulary import Service

#: the services whose specs mark a field as a secret; tests/unit/test_specs.py holds it to them. It stands here because
#: to import the specs takes half as long again as a `pitchey status JOB` does without
WITH_SECRETS: Final = frozenset({Service.DOCUMENT})


def masked(service: Service, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A spec, or some of its fields, with `***` in place of each secret. Whatever shows a spec shows this."""
    if service not in WITH_SECRETS:
        return {**fields}
    from processors.specs import SPECS

    return SPECS[service].masked(fields)


def has_secret(service: Service, spec: Mapping[str, Any]) -> bool:
    """Whether a spec has a secret that is not masked."""
    return masked(service, spec) != spec
