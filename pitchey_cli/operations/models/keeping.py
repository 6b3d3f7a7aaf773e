"""Models that are there already: verified, pinned, removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pitchey_cli.domain.errors import InputNotFound, InputRejected
from pitchey_cli.models.store import ModelStore
from pitchey_cli.operations.models.listing import found, found_here, listed, versions_of
from processors.inference.errors import ModelError
from processors.inference.fitting import refuse_misfit
from processors.inference.frameworks import looking
from processors.inference.repository import Entry, Repository, read


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of one version."""

    reference: str
    problem: str = ""  #: empty: it is whole


def verify(store: ModelStore, references: Sequence[str]) -> Iterator[Verified]:
    """Compare the files of models with their manifests, and look into them. Without references: of all.

    Raises:
        InputNotFound: there is no such model here.
    """
    wanted = {found_here(store, each).reference for each in references}
    for each in listed(store):
        if each.origin == "machine" and (each.reference in wanted or not wanted):
            yield Verified(each.reference, each.problem or _problem(read(store.root / each.name / each.version)))


def _problem(entry: Entry) -> str:
    what = f"The model {entry.manifest.reference}"
    try:
        entry.verify()
        if entry.file is not None and entry.manifest.framework is not None:
            signature = looking.refuse_unsafe(entry.manifest.framework, entry.file, what)
            if signature is not None:
                refuse_misfit(entry.manifest, signature, entry.labels())
    except ModelError as error:
        return error.message
    return ""


def pin(store: ModelStore, reference: str) -> None:
    """Make a version the one that is meant where a job says none.

    Raises:
        InputNotFound: there is no such version, here or in the image.
    """
    name, _, version = reference.partition("@")
    there = versions_of(store.root, name)
    if version not in there:
        if not there:
            found(store, name)  # says which name is near
        if not version:
            raise InputRejected(f"{name} is pinned to a version, as {name}@{there[-1]}.")
        raise InputNotFound(f"The model {name!r} has no version {version!r}.", hint=f"It has {', '.join(there)}.")
    store.pin(name, version)


def unpin(store: ModelStore, name: str) -> None:
    """Let the newest version be meant again.

    Raises:
        InputNotFound: none is pinned.
    """
    if store.pin_of(name) is None:
        raise InputNotFound(f"No version of {name!r} is pinned.")
    store.pin(name, None)


def remove(store: ModelStore, references: Sequence[str], *, all_versions: bool) -> list[str]:
    """Remove versions of this machine; which ones.

    Raises:
        InputNotFound: there is none; nothing is removed then.
        InputRejected: a name stands for several versions, or another model uses one.
    """
    gone = [each for reference in references for each in _meant(store, reference, all_versions)]
    for user in listed(store):
        for used in (user.manifest.uses, user.manifest.writes_with) if user.manifest else ():
            if used in gone and user.reference not in gone:
                hint = f"`pitchey models remove {user.reference}` first."
                raise InputRejected(f"The model {user.reference} uses {used}.", hint=hint)
    for reference in gone:
        store.remove(*reference.split("@"))
    return gone


def _meant(store: ModelStore, reference: str, all_versions: bool) -> list[str]:
    name, _, version = reference.partition("@")
    versions = Repository([store.root]).versions(name)
    if version and version in versions:
        return [reference]
    if version or not versions:
        found_here(store, reference)  # says what there is
    if len(versions) > 1 and not all_versions:
        hint = f"Say which, as {name}@{versions[0]}, or --all-versions."
        raise InputRejected(f"The model {name!r} has {len(versions)} versions: {', '.join(versions)}.", hint=hint)
    return [f"{name}@{each}" for each in versions]
