"""What a row of the table of routes is, and what handlers take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from starlette.responses import Response

from pitchey_cli.domain.access import Area, Role
from pitchey_cli.values import dataclass
from processors.specs.base import Part


class Query(Part):
    """What may stand behind the question mark; anything else is an error."""


class Body(Part):
    """A JSON body; an unknown field is an error."""


class Said(BaseModel):
    """What the API says. Only for the description: answers are made by reports/, and a test holds them to these."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, defer_build=True)


#: a model, or the media type of what is no JSON; None where there is no body
Answer = type[Said] | str | None


@dataclass(frozen=True)
class Route:
    """A method and a path, who may use it, and what comes of it. The handler's docstring says what it does."""

    method: str
    path: str
    role: Role | None  #: the least that it takes; None: anybody may, without a token
    area: Area
    handler: Callable[..., Awaitable[Response]]
    answers: Mapping[int, Answer]
    is_of_all: bool = False  #: it is about the whole installation, and takes a token of all organisations
    is_of_any_area: bool = False  #: whatever a token is narrowed to
    is_long: bool = False  #: it may take longer than other answers: an upload, a wait, a stream
    takes_files: bool = False  #: as multipart/form-data, beside JSON
    seconds: float = 0.0  #: for an answer, where that is not api.request_seconds
    notes: Mapping[str, str] = field(default_factory=dict)  #: headers that it takes, for the description

    @property
    def name(self) -> str:
        """What it is called in the description."""
        return self.handler.__name__
