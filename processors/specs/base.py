"""What every spec is: a model that refuses unknown fields and knows which of its fields are files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Final, get_args

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

#: marks a field as a secret, as its `json_schema_extra`; in JSON Schema's own words: it is sent and never shown
SECRET: Final[JsonDict] = {"format": "password", "writeOnly": True}

MASK: Final = "***"  #: what is shown in a secret's place, and kept when the secret is needed no more


class Part(BaseModel):
    """A part of a spec with fields of its own: unknown ones are errors."""

    # Validators are built when first needed: most commands need few of them, and start faster for it.
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        defer_build=True,
        hide_input_in_errors=True,  # it may be a secret, and errors get into logs
    )

    @classmethod
    def field_named(cls, text: str) -> str:
        """The field that is written so, in snake_case or camelCase; empty where there is none."""
        return next((name for name, field in cls.model_fields.items() if text in (name, field.alias)), "")

    @classmethod
    def part_of(cls, field: str) -> type[Part] | None:
        """What the field is, where that is a part; None of any other, and of one that holds several parts."""
        annotation = cls.model_fields[field].annotation
        kinds = (annotation, *get_args(annotation))
        return next((each for each in kinds if isinstance(each, type) and issubclass(each, Part)), None)

    @classmethod
    def is_secret(cls, field: str) -> bool:
        """Whether the field is marked as a secret; False where there is no such field."""
        return field in cls.model_fields and cls.model_fields[field].json_schema_extra == SECRET

    @classmethod
    @cache  # asked for every job of a list
    def has_secrets(cls) -> bool:
        """Whether any of its fields is a secret, or of its parts'."""
        parts = (cls.part_of(field) for field in cls.model_fields)
        is_marked = any(cls.is_secret(field) for field in cls.model_fields)
        return is_marked or any(part.has_secrets() for part in parts if part is not None)

    @classmethod
    def masked(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Fields as they may be shown: in place of each secret, also of one in a part, stands `***`."""
        if not cls.has_secrets():
            return {**fields}
        return {key: cls._masked(cls.field_named(key), value) for key, value in fields.items()}

    @classmethod
    def _masked(cls, field: str, value: Any) -> Any:
        if cls.is_secret(field):
            return None if value is None else MASK
        part = cls.part_of(field) if field else None
        return part.masked(value) if part is not None and isinstance(value, Mapping) else value

    @classmethod
    def spelled(cls, path: str) -> str:
        """A field as JSON has it, or one of a part: `watermark.image_url` is `watermark.imageUrl`."""
        name, dot, rest = path.partition(".")
        alias = cls.model_fields[name].alias or name
        part = cls.part_of(name) if dot else None
        return f"{alias}.{part.spelled(rest)}" if part else alias


class Spec(Part):
    """Base of the five specs."""

    #: fields that name files: a path or URL on the host's side, fetched by the host before the attempt starts; the
    #: first is what the job works on; `a.b` is a field of a part; those that are optional may be left out
    input_fields: ClassVar[tuple[str, ...]] = ()

    #: the field that a file's own text becomes part of the spec in: read by the host when the job is submitted
    content_field: ClassVar[str] = ""

    #: what the suffix of that file says of other fields
    by_suffix: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    #: the field that names more files, a path or URL by the name that each is to have; fetched as those of input_fields
    attached_field: ClassVar[str] = ""

    #: the field that takes what is worked on where that is no file; of a text that names one, the file is meant
    inline_field: ClassVar[str] = ""

    #: the field that is said first on the command line, before the inputs
    named_first: ClassVar[str] = ""

    #: the field that what is piped into the command becomes
    piped_field: ClassVar[str] = ""

    def at(self, path: str) -> Any:
        """The value of a field, or of one of a part, as `watermark.image_url`; None where the part is not there."""
        value: Any = self
        for name in path.split("."):
            value = None if value is None else getattr(value, name)
        return value

    def kind(self) -> str:
        """What an instance should have warm for it, as a model or a language; jobs of one kind need the same."""
        return ""

    def output_paths(self) -> list[str]:
        """The outputs that the spec alone tells: what stands in their way is found before the work, and not after."""
        return []

    def tells_all_outputs(self) -> bool:
        """Whether there are no others than those of `output_paths`; else the input says what more there is."""
        return True

    @property
    def keeps_folder(self) -> bool:
        """Whether its outputs name each other, or are many: they keep their names then, in a folder of their own."""
        return False

    def memory_bytes(self) -> int | None:
        """What an attempt takes of its instance's memory, where the spec bounds it; else None."""
        return None

    def larger_than(self, memory_bytes: int) -> str:
        """Why an instance with so much memory is too small, and what would fit, in the words of the spec."""
        return f"it does not fit into {memory_bytes} bytes of memory"

    def longest_seconds(self) -> float | None:
        """How long an attempt may take, where the spec bounds that; else None."""
        return None
