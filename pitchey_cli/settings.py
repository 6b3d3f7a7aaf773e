"""Settings: defaults, then the TOML file, then PITCHEY_... variables; read once, frozen.

A setting is a field of one of the dataclasses below. Its key is its path (`services.video.slots`), its variable is the
key in capitals with PITCHEY_ before it (`PITCHEY_SERVICES_VIDEO_SLOTS`). Dataclasses and not a validation library,
because `pitchey status` has to start in less time than such a library takes to import; without slots for the same
reason, here and in the other modules that it loads: a class with slots is made twice.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from pitchey_cli.domain.errors import Denied, InputNotFound, UsageError
from pitchey_cli.domain.limits import GIB, INSTANCE_TYPES, MIB

#: not settings: the file of the settings, --debug, and what the scripts and the tests beside this package use
_OTHER_VARIABLES = frozenset(
    f"PITCHEY_{name}"
    for name in ("CONFIG", "CONTEXT", "DEBUG", "ENGINE", "ENGINE_ROOT", "INSTANCE", "SCRIPTS", "SERVER", "TOKEN")
)
_OF_TESTS = "PITCHEY_TEST_"
TABLES = frozenset({"media.presets"})  #: of the file alone: their keys are the user's own names
ENGINE_KINDS = ("auto", "docker", "podman", "process")


def _setting(
    default: Any, doc: str, *, choices: tuple[str, ...] = (), least: float | None = None, most: float | None = None
) -> Any:
    return field(default=default, metadata={"doc": doc, "choices": choices, "least": least, "most": most})


@dataclass(frozen=True)
class EngineSettings:
    """What runs the instances."""

    kind: str = _setting("auto", "auto takes Docker, else Podman; process means no isolation.", choices=ENGINE_KINDS)
    url: str = _setting("", "Where the engine listens, as unix:///run/docker.sock; empty means: look for it.")
    ca_bundle: str = _setting(
        "", "CA bundle for image builds and slots behind a proxy; empty: SSL_CERT_FILE and its like."
    )


@dataclass(frozen=True)
class DaemonSettings:
    """How the daemon behaves."""

    poll_seconds: float = _setting(1.0, "How long a lost wake-up can cost.", least=0.05, most=60)
    lease_seconds: float = _setting(
        30.0,
        "How long a claim is promised for; renewed three times as often, for nodes that share a queue.",
        least=5,
        most=3600,
    )
    drain_seconds: float = _setting(
        30.0, "How long TERM lets running work finish before it is handed back; less on a spot node.", least=0
    )
    grace_seconds: float = _setting(5.0, "Between TERM and KILL for a cancelled attempt.", least=0, most=300)


@dataclass(frozen=True)
class ApiSettings:
    """How the daemon is asked over HTTP."""

    listen: str = _setting("", "HOST:PORT or unix:PATH to serve the API on; empty: none. --api goes before it.")
    requests_per_minute: int = _setting(30_000, "Of one token; more are answered with 429.", least=1)
    body_bytes: int = _setting(4 * MIB, "Largest body without files; of files the limit is input_bytes.", least=1024)
    request_seconds: float = _setting(30.0, "Longest time for an answer, and between two pieces of a body.", least=1)
    wait_seconds: float = _setting(60.0, "Longest ?wait= for a job.", least=0, most=3600)
    upload_hours: float = _setting(24.0, "How long an upload is kept that nobody goes on with.", least=0.01)
    upload_bytes: int = _setting(64 * GIB, "Of one organisation's uploads that no job has taken yet.", least=1024)


@dataclass(frozen=True)
class SignOnSettings:
    """Another server that knows people: a Better Auth. Its sessions and tokens are good for the API."""

    url: str = _setting("", "Where it answers, as https://app.example/api/auth; empty: there is none.")
    roles: str = _setting("owner=admin,admin=admin,member=submitter", "What its roles mean: THEIRS=OURS,THEIRS=OURS.")
    organisations: str = _setting("", "What its organisations are called here: ID=NAME,ID=NAME; others are nobody.")
    slugs: bool = _setting(
        False, "Any other organisation is called here as there. Only where strangers cannot make organisations there."
    )
    origins: str = _setting("", "Pages that may use its cookie here, as https://app.example; with commas between.")
    audience: str = _setting("pitchey", "For whom its JWTs have to be made.")
    issuer: str = _setting("", "By whom its JWTs have to be made; empty: the scheme and host of url.")
    cache_seconds: float = _setting(30.0, "How long what it said of a session is believed.", least=0, most=3600)


@dataclass(frozen=True)
class QueueSettings:
    """Whose turn it is."""

    ageing_seconds: float = _setting(600.0, "A job that waits this long goes up by one priority.", least=1)
    weights: str = _setting("", "Shares of organisations: acme=3,others=1; 1 where nothing is said.")
    keys: str = _setting("", "Limits of --key: NAME=AT_ONCE, or NAME=AT_ONCE@STARTS/min; else one at once.")
    off_peak: str = _setting(
        "", "Hours for --off-peak jobs: 22:00-06:00; several with commas between; empty: the cheapest of `cost.hours`."
    )


@dataclass(frozen=True)
class LimitSettings:
    """How large things may be."""

    input_bytes: int = _setting(5 * GIB, "Largest input file.", least=1)
    output_bytes: int = _setting(20 * GIB, "Largest sum of a job's outputs.", least=1)


@dataclass(frozen=True)
class RetentionSettings:
    """How long the daemon keeps what has ended; 0 means for ever, or without a limit."""

    jobs_days: float = _setting(30.0, "Ended jobs older than that are removed, with their results; 0: never.", least=0)
    dead_letters_days: float = _setting(90.0, "The same for dead letters, which go by nothing else.", least=0)
    jobs_count: int = _setting(
        0, "Ended jobs at most, dead letters and the last two hours aside; 0: any number.", least=0
    )
    artifacts_bytes: int = _setting(
        0, "When the files of all jobs take more, the oldest ended jobs go; looked at every hour. 0: no limit.", least=0
    )
    logs_days: float = _setting(30.0, "Logs older than that are removed; a job's own go with it. 0: never.", least=0)


@dataclass(frozen=True)
class CostSettings:
    """What instances cost. An instance keeps the prices that were set when it was started."""

    rates: str = _setting(
        "", "Dollars: vcpu-second=0.00002,gib-second=0.000002,gb-second=0; empty: each service's price_per_hour."
    )
    disk: str = _setting("", "GB of disk that gb-second is paid for, by instance type: lite=2,standard-1=8.")
    hours: str = _setting("", "Factors by the time of day: 22:00-06:00=0.5; several with commas between.")
    timezone: str = _setting("UTC", "The time zone of `cost.hours`, as Europe/Berlin.")
    regions: str = _setting("", "Factors by region: eu=1.1,us=0.9; 1 where nothing is said.")
    spot: str = _setting("", "Spot price: FACTOR, or FACTOR@INTERRUPTIONS/h, as 0.35@0.05/h.")


@dataclass(frozen=True)
class AlertSettings:
    """What people are told of."""

    rules: str = _setting("", "Thresholds of alert rules: queue_wait=60,idle_cost=off; `pitchey alerts list` has all.")


@dataclass(frozen=True)
class NodeSettings:
    """This machine among others."""

    region: str = _setting("local", "Where it stands; for prices.")
    is_spot: bool = _setting(False, "Its cloud may take it away: it has the price of `cost.spot`, and ends in time.")
    spot_notice: str = _setting(
        "", "Who says that it is about to be taken away: aws, gcp, azure, or a URL (404, 204 or FALSE: no; TRUE: yes)."
    )


@dataclass(frozen=True)
class NetworkSettings:
    """Where inputs may be fetched from."""

    allow_private_urls: bool = _setting(False, "Let inputs come from private and loopback addresses.")


@dataclass(frozen=True)
class WebhookSettings:
    """How other programs are told."""

    allow_private: bool = _setting(False, "Let webhooks go to private and loopback addresses.")
    keep_days: float = _setting(7.0, "Deliveries that have ended are listed for so long.", least=0.1, most=3650)


@dataclass(frozen=True)
class CodeSettings:
    """The network of programs that nobody trusts, and where their packages come from."""

    allowed_hosts: str = _setting(
        "*", "Whom programs with allowNetworking reach by HTTPS: host.example,*.example.org; with :port if not 443."
    )
    private_hosts: str = _setting("", "Of those and of registries: hosts that may be in a private network.")
    package_hosts: str = _setting("", "Hosts that a registry of packages leads to, beside its own.")
    pip_index: str = _setting("", "Index of Python packages, as pip's --index-url; empty: pip's own. No files.")
    npm_registry: str = _setting("", "Registry of JavaScript packages; empty: npm's own.")
    go_proxy: str = _setting("", "Proxy of Go modules, as GOPROXY; empty: Go's own.")
    go_checksums: str = _setting("", "Who knows the hashes of Go modules, as GOSUMDB; empty: Go's own; off: nobody.")
    packages_days: float = _setting(30.0, "Fetched packages that nobody has used for so long go.", least=0)
    packages_bytes: int = _setting(5 * GIB, "When they take more, the longest unused go.", least=0)


@dataclass(frozen=True)
class MediaSettings:
    """What media jobs may name."""

    #: tables by name, as the file has them; checked by whoever uses them, for the reason that the module's text gives
    presets: Mapping[str, Any] = field(default_factory=dict, metadata={"is_table": True})


@dataclass(frozen=True)
class InferenceSettings:
    """What the inference service has."""

    gpu: bool = _setting(False, "Its instances are given the graphics cards, and do not start without.")


@dataclass(frozen=True)
class DocumentSettings:
    """What the document service has."""

    ocr_languages: str = _setting(
        "", "More languages that its image reads pictures in, as rus,jpn; by tesseract's names. It is built anew."
    )


@dataclass(frozen=True)
class HostSettings:
    """What of the host the instances of all services may have together."""

    memory_bytes: int = _setting(0, "Memory for all instances together; 0: 80 % of the host's.", least=0)
    cpu_overcommit: float = _setting(4.0, "How often each CPU may be promised.", least=0.1, most=1000)
    yield_seconds: float = _setting(
        30.0, "A service that waits so long for room gets that of a busy instance of another.", least=0
    )
    tenure_seconds: float = _setting(60.0, "A busy instance is left alone for so long.", least=0)
    load_per_cpu: float = _setting(4.0, "No more instances are started at a higher load for each CPU.", least=0.1)
    memory_pressure: float = _setting(
        0.2, "Nor when work stands still for want of memory for such a share of the time.", least=0, most=1
    )
    disk_free_bytes: int = _setting(256 * MIB, "None at all is started with less free disk.", least=0)


@dataclass(frozen=True)
class ScalingSettings:
    """When a pool grows and shrinks."""

    queue_up: int = _setting(100, "More waiting jobs are a reason for one more instance.", least=0)
    queue_down: int = _setting(10, "With fewer the pool may shrink.", least=0)
    wait_up_seconds: float = _setting(30.0, "A longer wait is a reason for one more instance.", least=0)
    cpu_up: float = _setting(0.80, "As many instances as keep the use of their CPUs below.", least=0.01, most=1)
    memory_up: float = _setting(0.85, "The same for their memory.", least=0.01, most=1)
    target: float = _setting(0.70, "Share of the slots that are to be taken.", least=0.01, most=1)
    stable_seconds: float = _setting(60.0, "Window over which the load is averaged.", least=1, most=3600)
    panic_seconds: float = _setting(6.0, "The same for sudden load.", least=1, most=3600)
    panic_factor: float = _setting(2.0, "Load that is sudden: so many times what the instances can do.", least=1)
    step_seconds: float = _setting(2.0, "Between two steps up.", least=0)
    cooldown_seconds: float = _setting(60.0, "Between any step and one down.", least=0)
    waiting_price_per_hour: float = _setting(
        40.0, "What it is worth that no job waits: an instance that starts fast is kept idle less long. 0: no matter.",
        least=0,
    )  # fmt: skip
    forecast: bool = _setting(True, "A forecast that has proved itself may keep instances ready.")
    warm_hours: str = _setting("", "Instances that are ready by the clock: 1@08:00-18:00.")


@dataclass(frozen=True)
class ServiceSettings:
    """One service's instances."""

    instance_type: str = _setting("standard-1", "Size of an instance.", choices=tuple(INSTANCE_TYPES))
    slots: int = _setting(1, "Attempts that one instance runs at once.", least=1, most=64)
    sleep_after_seconds: float = _setting(300.0, "Idle time after which an instance is stopped at the latest.", least=0)
    price_per_hour: float = _setting(0.0, "Price of an instance, in dollars per hour.", least=0)
    timeout_seconds: float = _setting(3600.0, "Longest run of one attempt.", least=1)
    ttl_seconds: float = _setting(0.0, "A job that was not started within this is given up; 0 means never.", least=0)
    max_attempts: int = _setting(3, "Attempts before a job is a dead letter.", least=1, most=100)
    retry_base_seconds: float = _setting(2.0, "Longest wait before the first retry; doubled for each more.", least=0)
    retry_cap_seconds: float = _setting(600.0, "No wait before a retry is longer.", least=0)
    retry_rules: str = _setting("", "What to do about errors: CODE=retry, stop or larger; several with commas between.")
    min_instances: int = _setting(0, "Instances that are kept even when idle.", least=0, most=1000)
    max_instances: int = _setting(4, "Instances at most.", least=1, most=1000)
    runtime: str = _setting("", "OCI runtime of its containers, as runsc; empty: the engine's own.")
    scaling: ScalingSettings = ScalingSettings()


@dataclass(frozen=True)
class Services:
    """The five services; sizes, slots, sleep times and prices of the system that Pitchey replaces."""

    video: ServiceSettings = ServiceSettings("standard-2", 3, 300, 0.144, 3600)
    document: ServiceSettings = ServiceSettings("standard-1", 5, 300, 0.072, 600)
    # Short texts are done sixteen at a time: while some are at the models, the next are fetched and the last recorded.
    inference: ServiceSettings = ServiceSettings("standard-4", 32, 600, 0.288, 600)
    media: ServiceSettings = ServiceSettings("standard-2", 4, 300, 0.144, 3600)
    code: ServiceSettings = ServiceSettings("lite", 10, 120, 0.036, 60)


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    state_dir: str = _setting("", "Where queue, artifacts and spools are kept; empty: the user's state directory.")
    engine: EngineSettings = EngineSettings()
    daemon: DaemonSettings = DaemonSettings()
    api: ApiSettings = ApiSettings()
    sign_on: SignOnSettings = SignOnSettings()
    queue: QueueSettings = QueueSettings()
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    network: NetworkSettings = NetworkSettings()
    webhooks: WebhookSettings = WebhookSettings()
    code: CodeSettings = CodeSettings()
    media: MediaSettings = MediaSettings()
    document: DocumentSettings = DocumentSettings()
    inference: InferenceSettings = InferenceSettings()
    host: HostSettings = HostSettings()
    cost: CostSettings = CostSettings()
    alerts: AlertSettings = AlertSettings()
    node: NodeSettings = NodeSettings()
    services: Services = Services()


@dataclass(frozen=True)
class Entry:
    """One setting, for `pitchey config` and the documents."""

    key: str
    type: type
    default: Any
    doc: str
    choices: tuple[str, ...]
    least: float | None
    most: float | None

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return "PITCHEY_" + self.key.replace(".", "_").upper()


@dataclass(frozen=True)
class Loaded:
    """The settings, and where each value came from."""

    settings: Settings
    path: Path
    sources: Mapping[str, str]  #: key -> default, file, or the variable's name


def _entries_of(cls: type, defaults: Any, prefix: str) -> list[Entry]:
    hints = get_type_hints(cls)
    found: list[Entry] = []
    for item in fields(cls):
        value = getattr(defaults, item.name)
        if is_dataclass(value):
            found += _entries_of(type(value), value, f"{prefix}{item.name}.")
        elif not item.metadata.get("is_table"):
            found.append(_entry(item, hints[item.name], value, prefix))
    return found


def _entry(item: Field[Any], type_: type, default: Any, prefix: str) -> Entry:
    meta = item.metadata
    return Entry(prefix + item.name, type_, default, meta["doc"], meta["choices"], meta["least"], meta["most"])


def entries() -> dict[str, Entry]:
    """Every setting, by key."""
    return {entry.key: entry for entry in _entries_of(Settings, Settings(), "")}


def parse_value(entry: Entry, raw: Any, *, where: str) -> Any:
    """Turn a value of the file (typed) or of the environment (text) into the setting's type.

    Raises:
        UsageError: names the place, the setting and what it takes.
    """
    wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[entry.type]
    value: Any = raw
    if isinstance(raw, str) and entry.type is not str:
        lowered = raw.strip().lower()
        try:
            if entry.type is bool:
                value = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[lowered]
            else:
                value = entry.type(lowered)
        except (KeyError, ValueError):
            raise UsageError(f"{where}: {entry.key} takes {wanted}, not {raw!r}.") from None
    if entry.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not entry.type:
        raise UsageError(f"{where}: {entry.key} takes {wanted}, not {raw!r}.")
    if entry.choices and value not in entry.choices:
        raise UsageError(f"{where}: {entry.key} is one of {', '.join(entry.choices)}, not {value!r}.")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        too_small = entry.least is not None and not value >= entry.least  # not-ge also refuses NaN
        too_large = entry.most is not None and not value <= entry.most
        if too_small or too_large:
            limits = (("at least", entry.least), ("at most", entry.most))
            bounds = " and ".join(f"{word} {bound:g}" for word, bound in limits if bound is not None)
            raise UsageError(f"{where}: {entry.key} is {bounds}, not {value!r}.")
    return value


def unknown_key(key: str, known: Mapping[str, Entry], *, where: str) -> UsageError:
    """The error for a setting that does not exist, with the nearest one that does."""
    import difflib  # late: only for this error

    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return UsageError(
        f"{where}: there is no setting {key!r}.",
        hint=f"Did you mean {near[0]!r}?" if near else "`pitchey config show` lists them all.",
    )


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and prefix + key not in TABLES:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _build(cls: type, defaults: Any, values: Mapping[str, Any], prefix: str) -> Any:
    arguments: dict[str, Any] = {}
    for item in fields(cls):
        default = getattr(defaults, item.name)
        if is_dataclass(default):
            arguments[item.name] = _build(type(default), default, values, f"{prefix}{item.name}.")
        else:
            arguments[item.name] = values.get(prefix + item.name, default)
    return cls(**arguments)


def config_path(environ: Mapping[str, str]) -> Path:
    """The file: PITCHEY_CONFIG, else the user's configuration directory."""
    if environ.get("PITCHEY_CONFIG"):
        return Path(environ["PITCHEY_CONFIG"])
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    return Path(base) / "pitchey" / "config.toml"


def read_file(path: Path, *, but: str = "") -> dict[str, Any]:
    """The file's settings by key, checked; empty when there is no file.

    Args:
        but: a key that is left out, whatever the file has for it: it is about to be set or taken out.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise Denied(f"{path} may not be read.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    known = entries()
    values: dict[str, Any] = {}
    for key, raw in _flatten(table).items():
        if key == but:
            continue
        if key in TABLES:
            if not isinstance(raw, Mapping):
                raise UsageError(f"{path}: {key} is a table of tables, not {raw!r}.")
            values[key] = raw
            continue
        if key not in known:
            raise unknown_key(key, known, where=str(path))
        values[key] = parse_value(known[key], raw, where=str(path))
    return values


def load(environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read the settings once."""
    path = config_path(environ)
    if environ.get("PITCHEY_CONFIG") and not path.exists():
        raise InputNotFound(f"There is no file at {path}, which PITCHEY_CONFIG names.")
    loaded = merged(path, read_file(path), environ)
    for name in (item.name for item in fields(Services)):
        check_service(name, getattr(loaded.settings.services, name))
    return loaded


def merged(path: Path, in_file: Mapping[str, Any], environ: Mapping[str, str]) -> Loaded:
    """The settings, if these values stood in the file; whether they go together is for the caller to ask."""
    values = dict(in_file)
    sources = dict.fromkeys(values, "file")
    for key, entry in entries().items():
        if entry.variable in environ:
            values[key] = parse_value(entry, environ[entry.variable], where=entry.variable)
            sources[key] = entry.variable
    return Loaded(_build(Settings, Settings(), values, ""), path, sources)


def told(tables: Mapping[str, Any]) -> Settings:
    """Settings as another machine tells them; what this version does not know is left out."""
    known = entries().keys() | TABLES
    values = {key: value for key, value in _flatten(tables).items() if key in known}
    found: Settings = _build(Settings, Settings(), values, "")
    return found


def check_service(name: str, service: ServiceSettings) -> None:
    """Raise UsageError for settings of a service that do not go together."""
    scaling = service.scaling
    if service.min_instances > service.max_instances:
        raise UsageError(f"services.{name}: min_instances is larger than max_instances.")
    if not all(letter.isalnum() or letter in "._-" for letter in service.runtime):
        raise UsageError(f"services.{name}.runtime: {service.runtime!r} is no name of a runtime.")
    if scaling.queue_down > scaling.queue_up:
        raise UsageError(f"services.{name}.scaling: queue_down is larger than queue_up.")
    if scaling.panic_seconds > scaling.stable_seconds:
        raise UsageError(f"services.{name}.scaling: panic_seconds is longer than stable_seconds.")


def misspelt_variables(environ: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
    """Variables that begin as ours do and set nothing, each with the nearest one that does, or nothing."""
    given = {name for name in environ if name.startswith("PITCHEY_") and not name.startswith(_OF_TESTS)}
    if given <= _OTHER_VARIABLES:
        return []
    known = [entry.variable for entry in entries().values()]
    found: list[tuple[str, str]] = []
    for name in sorted(given.difference(known, _OTHER_VARIABLES)):
        import difflib  # late: hardly anybody needs it, and `pitchey status` has to start fast

        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        found.append((name, near[0] if near else ""))
    return found


def state_dir(settings: Settings, environ: Mapping[str, str] = os.environ) -> Path:
    """The state directory, absolute."""
    if settings.state_dir:
        return Path(settings.state_dir).expanduser().absolute()
    base = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(base) / "pitchey"
