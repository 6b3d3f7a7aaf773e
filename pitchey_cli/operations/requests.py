"""From what somebody asks for, in their words, to jobs that are checked, staged and looked up in the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.addresses import WAY_TO_PRIVATE, Address, said_by
from pitchey_cli.domain.buckets import Grants, is_bucket_url
from pitchey_cli.domain.errors import Denied, UsageError
from pitchey_cli.domain.fitting import fit, largest_type
from pitchey_cli.domain.limits import INSTANCE_TYPES, MIB
from pitchey_cli.domain.off_peak import ANY_TIME, OffPeak, latest_start, plan
from pitchey_cli.domain.spot import Spot
from pitchey_cli.domain.whereabouts import Whereabouts
from pitchey_cli.operations import cache, queueing, sources, submit
from pitchey_cli.operations.drafts import Draft, drafted, with_attached
from pitchey_cli.operations.estimates import History
from pitchey_cli.operations.specs import merged, spellings
from pitchey_cli.store.port import Store
from processors.specs import SPECS, Spec
from processors.vocabulary import Service

if TYPE_CHECKING:
    from pitchey_cli.models.store import ModelStore
    from processors.specs.media import Preset


@dataclass(frozen=True, slots=True)
class Request:
    """Jobs of one service that somebody asks for. A schedule keeps it as it is."""

    service: Service
    inputs: tuple[str, ...]  #: files, folders, patterns, URLs
    fields: dict[str, Any] = field(default_factory=dict)  #: of the spec, by snake_case or camelCase name
    queueing: dict[str, Any] = field(default_factory=dict)  #: over queueing.DEFAULTS
    attached: tuple[str, ...] = ()  #: files and folders to lie beside the input


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the settings say of a service's jobs."""

    settings: submit.JobSettings
    ttl_seconds: float
    slots: int  #: of an instance
    instance_type: str
    limit_bytes: int  #: of an input file


@dataclass(frozen=True, slots=True)
class Submitting:
    """What jobs are submitted with."""

    store: Store
    artifacts: Artifacts
    defaults_of: Callable[[Service], Defaults]
    image_of: Callable[[Service], str]
    presets: Callable[[], Mapping[str, Preset]] = dict  #: the user's own, of media jobs
    off_peak: OffPeak = ANY_TIME
    spot: Spot | None = None  #: what is set of the node, where it may be taken away
    models: Callable[[], ModelStore] | None = None  #: of this machine; None: which there are is not known
    grants: Grants | None = None  #: whose jobs may use which profiles of S3; None: nobody asks
    listed: sources.Listed | None = None  #: what lies below a folder in a bucket
    whereabouts: Callable[[], Whereabouts] | None = None  #: of the artifacts; None: nobody asks
    may_reach: Callable[[Address], bool] | None = None  #: the addresses that URLs may lead to; None: all


def drafts(request: Request, listed: sources.Listed | None = None) -> list[Draft]:
    """Find the inputs and check the spec of each job.

    Args:
        listed: what lies below a folder in a bucket; None: no such folder can be looked into.

    Raises:
        UsageError: no input, or a spec that cannot be.
        InputNotFound, InputRejected: as sources.find.
    """
    model = SPECS[request.service]
    inline = model.content_field or model.inline_field
    is_inline = bool(spellings(model, inline) & request.fields.keys())
    if is_inline and request.inputs:
        text = f"There is {request.inputs[0]!r}, and {_option(inline)} besides: which of them is it?"
        hint = f"A job has one {model.content_field}; --file puts more files beside it." if model.content_field else ""
        raise UsageError(text, hint=hint)
    if is_inline or (model.inline_field and _names_files(model, request.fields)):
        return [replace(drafted(request.service, whole_fields(request), None), is_alone=True)]
    if not request.inputs:
        hint = "Name files, folders, patterns or URLs, or - for JSON."
        if model.inline_field:
            hint = f"`pitchey run {request.service} {model.named_first.upper()} TEXT`, or files, or - for JSON."
        raise UsageError(f"What shall the {request.service} service work on?", hint=hint)
    found = sources.find(request.service, request.inputs, _picked(request), listed)
    is_alone = len(request.inputs) == 1 and found[0].location == request.inputs[0]
    drafts = [drafted(request.service, whole_fields(request, source), source) for source in found]
    return [replace(draft, is_alone=is_alone) for draft in drafts]


def left_out(request: Request) -> list[Path]:
    """The files in the folders of a request that no job is made of."""
    return sources.left_out(request.service, request.inputs, _picked(request))


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _names_files(model: type[Spec], fields: Mapping[str, Any]) -> bool:
    """Whether the fields themselves say which files the job works on."""
    return any(spellings(model, name) & fields.keys() for name in (model.input_fields[0], model.attached_field))


def _picked(request: Request) -> frozenset[str] | None:
    """The suffixes of files that are picked out of a folder, where they are not the service's own."""
    is_probe = merged(SPECS[request.service], {}, request.fields).get("output_format") == "probe"
    if request.service is Service.VIDEO and is_probe:  # it looks at sound as well
        return sources.SUFFIXES[Service.VIDEO] | sources.SUFFIXES[Service.MEDIA]
    return None


def whole_fields(
    request: Request, source: sources.Source | None = None, under: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The fields of the spec that were asked for, with the files that were attached.

    Args:
        source: what the job works on. A folder that is attached may hold it: it does not lie beside itself.
        under: fields of the one job, where several are asked for; what is asked for all goes before them.
    """
    model = SPECS[request.service]
    fields = merged(model, under or {}, request.fields)
    # A program may need anything that lies in a folder; the cover beside an album's tracks is none of them.
    files = sources.attached(request.attached, None if model.content_field else sources.SUFFIXES.get(request.service))
    if source is not None and not source.is_url:
        files = {name: location for name, location in files.items() if not sources.is_same(location, source.location)}
    return with_attached(model, fields, files)


def stage(
    submitting: Submitting,
    service: Service,
    checked: Sequence[Draft],
    words: Mapping[str, Any],
    *,
    now: datetime,
    progress: submit.StageProgress | None = None,
) -> list[cache.Lookup]:
    """Take the inputs of one service's jobs into the artifact store, once it is sure that the queue will take them.

    Args:
        words: when and how the jobs queue, where a draft does not say it itself.

    Raises:
        UsageError: there are files, and no node would find them where artifacts are here.
    """
    store, artifacts, defaults = submitting.store, submitting.artifacts, submitting.defaults_of(service)
    checked = settled(submitting, service, checked)
    chosen = check(submitting, service, checked, words, now)
    settings = {id(each): own for each, own in zip(checked, chosen, strict=True)}
    has_files = any(not source.is_url for each in checked for _, source in each.sources)
    if has_files and submitting.whereabouts is not None and (there := store.artifacts_at()) is not None:
        there.check(submitting.whereabouts())
    jobs = submit.stage(
        checked, artifacts, lambda each: settings[id(each)], limit_bytes=defaults.limit_bytes, progress=progress
    )
    if words.get("no_cache"):
        return [cache.Lookup(job, "--no-cache was given") for job in jobs]
    return cache.look_up(store, artifacts, jobs, submitting.image_of)


def settled(submitting: Submitting, service: Service, drafts: Sequence[Draft]) -> Sequence[Draft]:
    """Jobs with what the settings say of their specs.

    Raises:
        UsageError: a media job names a preset that there is not, or a preset of the settings makes no sense; an
            inference job names a model that there is not, or parameters that it does not take.
    """
    if service is Service.INFERENCE and submitting.models is not None:
        from pitchey_cli.operations.models.asked import refuse_impossible

        refuse_impossible(submitting.models(), drafts)
    if service is not Service.MEDIA:
        return drafts
    from pitchey_cli.operations import presets  # late: the other services need none of them

    return presets.with_own(drafts, submitting.presets())


def check(
    submitting: Submitting, service: Service, drafts: Sequence[Draft], words: Mapping[str, Any], now: datetime
) -> list[submit.JobSettings]:
    """Make sure that the queue takes jobs as they are asked for, without staging anything; the settings of each.

    Args:
        words: when and how the jobs queue, where a draft does not say it itself.

    Raises:
        UsageError: names the word that makes no sense.
        InputNotFound: there is no job to wait for.
        Denied: a URL leads to where nobody may.
    """
    settled(submitting, service, drafts)
    defaults = submitting.defaults_of(service)
    history = History(submitting.store, service)
    found = []
    for each in drafts:
        settings = _settings(submitting, each, {**words, **each.queueing}, defaults, now)
        found.append(_planned(settings, each, submitting, history, now))
    return found


def _check_buckets(grants: Grants | None, draft: Draft, settings: submit.JobSettings) -> None:
    """Make sure that a job may use the profiles of the buckets that it names; the daemon looks again."""
    places = [source.location for _, source in draft.sources if is_bucket_url(source.location)]
    for place in (*places, *filter(None, [settings.output])):
        if grants is not None:
            grants.check(place, settings.organisation)


def _check_hosts(may_reach: Callable[[Address], bool] | None, draft: Draft) -> None:
    """Refuse URLs that say themselves that they lead to where nobody may. Names are looked up when they are fetched."""
    if may_reach is None:
        return
    urls = (source.location for _, source in draft.sources if source.is_url)
    for host in (urlsplit(url).hostname or "" for url in urls if not is_bucket_url(url)):
        if (address := said_by(host)) is not None and not may_reach(address):
            raise Denied(f"{host} has no public address.", hint=WAY_TO_PRIVATE)


def _settings(
    submitting: Submitting, draft: Draft, words: Mapping[str, Any], defaults: Defaults, now: datetime
) -> submit.JobSettings:
    with draft.blamed():
        _check_hosts(submitting.may_reach, draft)
        found = queueing.settings(words, submitting.store, defaults.settings, ttl_seconds=defaults.ttl_seconds, now=now)
        _check_buckets(submitting.grants, draft, found)
        if found.slots > defaults.slots:
            text = f"--slots {found.slots}: an instance of the {draft.service} service has {defaults.slots}."
            raise UsageError(text, hint=f"services.{draft.service}.slots sets how many.")
        return _fitted(found, draft, defaults, has_timeout=bool(words.get("timeout")))


def _fitted(settings: submit.JobSettings, draft: Draft, defaults: Defaults, *, has_timeout: bool) -> submit.JobSettings:
    """Give a job the slots, the instance type and the time that follow from what its spec says of itself.

    Args:
        has_timeout: somebody has said how long it may take.
    """
    spec, service = draft.checked, draft.service
    longest, need = spec.longest_seconds(), spec.memory_bytes()
    if longest is not None and not has_timeout:
        settings = replace(settings, timeout_seconds=max(longest, settings.timeout_seconds))
    if need is None:
        return settings
    found = fit(need, own_type=defaults.instance_type, slots=defaults.slots)
    if found is None:
        largest = largest_type()
        most = INSTANCE_TYPES[largest].memory_bytes
        text = f"services.{service}.instance_type is {defaults.instance_type}, and the largest type is {largest}"
        raise UsageError(f"{spec.larger_than(most)}.", hint=f"{text}, which has {most // MIB} MB.")
    return replace(settings, size=found.size, slots=max(found.slots, settings.slots))


def _planned(
    settings: submit.JobSettings, draft: Draft, submitting: Submitting, history: History, now: datetime
) -> submit.JobSettings:
    """Settle when a job starts that asks for off-peak hours and cannot wait for ever; the others are as they are.

    One that has to wait for others first has its time to live only then: by its last call, as of now, it runs at any
    price too soon rather than never.
    """
    if not settings.is_off_peak or settings.expires_at is None:
        return settings
    estimate = history.estimate(draft)
    earliest = now if settings.run_at is None else max(now, settings.run_at)
    latest = latest_start(
        earliest=earliest,
        deadline=settings.deadline,
        expires_at=settings.expires_at,
        expected_seconds=None if estimate is None else estimate.times(submitting.spot)[2],
        timeout_seconds=settings.timeout_seconds,
    )
    start = plan(submitting.off_peak, earliest=earliest, latest=latest)
    return replace(
        settings,
        is_off_peak=start.is_off_peak,
        last_call_at=start.last_call_at,
        run_at=start.run_at or settings.run_at,
    )
