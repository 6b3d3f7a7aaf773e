"""What runs the jobs, built from settings: a node in the daemon, or in a command that waits for its own jobs.

It loads most of the program, so commands import it when they come to run something.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from pitchey_cli import __version__
from pitchey_cli.daemon import process
from pitchey_cli.daemon.embedded import EmbeddedNode
from pitchey_cli.daemon.front import Front, listen
from pitchey_cli.daemon.housekeeping import Housekeeping, Pruned
from pitchey_cli.daemon.identity import is_copy, kept_id
from pitchey_cli.daemon.lock import lock
from pitchey_cli.daemon.loop import Loop
from pitchey_cli.daemon.node import Identity, Node, NodeConfig, ServiceConfig
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import NetworkError, UsageError
from pitchey_cli.domain.limits import INSTANCE_TYPES
from pitchey_cli.domain.listening import address_of
from pitchey_cli.domain.nodes import MOST_APART_SECONDS, NodeFacts
from pitchey_cli.domain.whereabouts import Whereabouts
from pitchey_cli.engines import images
from pitchey_cli.engines.images import Sources, current_tag
from pitchey_cli.engines.port import Engine, EngineKind
from pitchey_cli.network.certificates import Certificate
from pitchey_cli.network.posting import Post
from pitchey_cli.operations import schedules
from pitchey_cli.operations.zones import zone_of
from pitchey_cli.policies import pool_settings
from pitchey_cli.store.steps import newest
from pitchey_cli.store.writer import Writer
from pitchey_cli.wiring import porters
from pitchey_cli.wiring.here import Wiring
from processors.vocabulary import Service

_START_BYTES = 4  # of a name that no other start of a daemon on this queue should have
INSTANCE_UID = 10001  #: what instances run as when the daemon is root; any id that owns nothing on the host will do


async def serve(
    wiring: Wiring,
    engine: Engine,
    *,
    api: str = "",
    tls: tuple[str, str] = ("", ""),
    on_ready: Callable[[], None],
    report: Callable[[str], None],
) -> None:
    """Be the daemon, until a signal or a drain.

    Args:
        api: where the API is to listen; empty: as is set.
        tls: the files of its certificate and of the key; empty: as is set.
    """
    wiring.make_state_dir()
    with lock(wiring.state_dir, is_daemon=True, engine=engine.kind):
        await asyncio.to_thread(_ask_bucket, wiring, report)
        await _serve(wiring, engine, api, tls, on_ready, report)


def _ask_bucket(wiring: Wiring, report: Callable[[str], None]) -> None:
    """Make sure that this node may use the bucket of the artifacts: it would fail what others could do."""
    if wiring.policies.kept_at() is None:
        return
    try:
        wiring.files.ask_bucket()
    except NetworkError as error:
        report(f"{error} Attempts wait for it.")


async def _serve(
    wiring: Wiring,
    engine: Engine,
    api: str,
    tls: tuple[str, str],
    on_ready: Callable[[], None],
    report: Callable[[str], None],
) -> None:
    with loop(wiring, engine, report=report) as node:
        config, identity = node.node.config, node.node.identity
        report(f"node {config.facts.name}, {identity.id}; state directory {wiring.state_dir}")
        report(f"queue {wiring.server or wiring.database}; artifacts {_where_artifacts_are(wiring)}")
        if wiring.server is not None and wiring.policies.kept_at() is None:
            report("artifacts are kept on this disk, where other nodes do not find them: artifacts.url names a bucket")
        front = await _api(wiring, api or wiring.settings.api.listen, tls, report)
        await process.serve(node, on_ready=on_ready, front=front, listen=_listener(wiring))


def _where_artifacts_are(wiring: Wiring) -> str:
    url = wiring.policies.kept_at()
    return str(url or layout.artifacts(wiring.state_dir))


def _whereabouts(wiring: Wiring, is_foreground: bool) -> Whereabouts | None:
    """Where the artifacts are that others need as well; None where nobody does, or the bucket is away."""
    if wiring.server is None:
        return None
    try:
        return wiring.files.whereabouts(wiring.files.artifacts(is_hurried=True), make=not is_foreground)
    except NetworkError:
        return None


async def _api(wiring: Wiring, where: str, tls: tuple[str, str], report: Callable[[str], None]) -> Front | None:
    """The process that serves the API, with its socket open; None where none is wanted.

    Raises:
        UsageError: strangers could reach it, and there is no token by which to tell them from friends; or there is no
            such certificate.
    """
    if not where:
        return None
    address, files = address_of(where), _certificate(wiring, tls)
    if files and address.path:
        raise UsageError("A Unix socket has no TLS.", hint="Leave --tls-cert out, or listen on HOST:PORT.")
    address = replace(address, has_tls=bool(files))
    store = wiring.plain_store()
    try:
        has_tokens = store.has_tokens()
    finally:
        store.close()
    has_sign_on = wiring.policies.sign_on() is not None
    if not (has_tokens or has_sign_on or address.is_private):
        text = f"There is no token yet, and others can reach {where}: whoever comes could do anything."
        raise UsageError(text, hint="`pitchey token add NAME` makes one; 127.0.0.1:PORT is for this machine alone.")
    listener, address = await listen(address)
    whom = "whoever may open that file" if address.path else "anybody on this machine"
    known = "those with a token or a session of the sign-on server" if has_sign_on else "those with a token"
    report(f"API at {address}, for {known if has_tokens or has_sign_on else f'{whom}, as there is no token yet'}")
    command = (sys.executable, "-m", "pitchey_cli.api", *(["--tls", *files] if files else []))
    return Front(command, listener, address, report)


def _certificate(wiring: Wiring, tls: tuple[str, str]) -> list[str]:
    """The files of a certificate and of its key, which belong together; none where there is to be no TLS."""
    configured = wiring.settings.api
    chain, key = tls if any(tls) else (configured.tls_cert, configured.tls_key)
    if not (chain or key):
        return []
    if not chain:
        raise UsageError("There is a key for TLS, and no certificate.", hint="--tls-cert names its file.")
    certificate, its_key = (Path(each).expanduser().absolute() for each in (chain, key or chain))
    Certificate(certificate, its_key)  # refuses what is none
    return [str(certificate), str(its_key)]


def embedded(wiring: Wiring, engine: Engine, *, report: Callable[[str], None]) -> EmbeddedNode:
    """A node inside this command, for the jobs that somebody waits for."""

    async def serve(stop: asyncio.Event, ready: Callable[[Loop], None]) -> None:
        with (
            lock(wiring.state_dir, is_daemon=False, engine=engine.kind),
            loop(wiring, engine, report=report, is_foreground=True) as node,
        ):
            await process.serve_foreground(node, stop, on_ready=lambda: ready(node), listen=_listener(wiring))

    return EmbeddedNode(serve)


def _listener(wiring: Wiring) -> process.Listen:
    """How the others who work on this queue are heard; those at this machine poke."""
    if wiring.server is None:
        return lambda _: nullcontext()
    from pitchey_cli.store.listening import listening

    return partial(listening, wiring.server)


@contextmanager
def loop(
    wiring: Wiring, engine: Engine, *, report: Callable[[str], None], is_foreground: bool = False
) -> Iterator[Loop]:
    """The loop of a node, with all that it works with, which is closed after it."""
    store = wiring.plain_store(is_heard=False)
    artifacts = wiring.artifacts()
    label = layout.label(store.state_id(), wiring.state_dir.resolve())
    writer = Writer(store)
    try:
        node = Node(
            config=_config(wiring, engine, is_foreground, schema=newest()),
            store=store,
            writer=writer,
            engine=engine,
            host=engine.info(),
            artifacts=artifacts,
            fetch=wiring.files.inputs(artifacts),
            deliver=wiring.files.outputs(artifacts),
            fire=partial(_fire, wiring),
            clock=wiring.clock,
            dice=random.random,
            report=report,
            presigner=porters.presigner(wiring, engine, artifacts),
            post=None if is_foreground else Post(allow_private=wiring.settings.webhooks.allow_private),
            identity=Identity(kept_id(wiring.state_dir), is_copy(wiring.state_dir)),
            whereabouts=_whereabouts(wiring, is_foreground),
        )
        yield Loop(node, label)
    finally:
        writer.close()


def _fire(wiring: Wiring, *, awake_since: datetime, is_ending: Callable[[], bool]) -> list[str]:
    store = wiring.plain_store()  # a connection of its own: reading files takes long, and the writer must not wait
    try:
        submitting, now = wiring.submitting(store), wiring.clock.now()
        return list(schedules.fire(submitting, now=now, awake_since=awake_since, is_ending=is_ending))
    finally:
        store.close()


def _config(wiring: Wiring, engine: Engine, is_foreground: bool, *, schema: int) -> NodeConfig:
    daemon, limits = wiring.settings.daemon, wiring.settings.limits
    sources = images.built(engine, wiring.engines.sources())
    is_fixed_user = os.geteuid() == 0 and engine.kind is not EngineKind.PROCESS
    served = [each for each in images.available() if each in wiring.policies.node_services()]
    if engine.kind is EngineKind.PROCESS and not is_foreground:  # `pitchey run` says so to whoever asks for it
        served = [each for each in served if each is not Service.CODE]
    facts = _facts(wiring, engine, served, is_foreground, schema)
    return NodeConfig(
        state_dir=wiring.state_dir,
        services={service: _service_config(wiring, service, sources, is_foreground) for service in served},
        queue=replace(wiring.policies.queue(), labels=facts.all_labels),
        capacity=wiring.policies.capacity(),
        prices=wiring.policies.prices(),
        region=wiring.settings.node.region,
        is_spot=wiring.settings.node.is_spot,
        spot_notice=wiring.policies.spot_notice(),
        zone=zone_of(""),
        alerts=wiring.policies.alert_rules(),
        retention=wiring.policies.retention(),
        poll_seconds=daemon.poll_seconds,
        lease_seconds=daemon.lease_seconds,
        drain_seconds=daemon.drain_seconds,
        grace_seconds=daemon.grace_seconds,
        output_limit_bytes=limits.output_bytes,
        instance_user=(INSTANCE_UID, INSTANCE_UID) if is_fixed_user else (os.geteuid(), os.getegid()),
        deliveries_kept=timedelta(days=wiring.settings.webhooks.keep_days),
        ca_file=porters.ca_file(wiring),
        porter_network=wiring.settings.engine.network,
        is_foreground=is_foreground,
        most_apart_seconds=MOST_APART_SECONDS,
        facts=facts,
    )


def _facts(wiring: Wiring, engine: Engine, served: Sequence[Service], is_foreground: bool, schema: int) -> NodeFacts:
    """What this node says of itself to the others."""
    chosen, prices = wiring.settings.node, wiring.policies.prices()
    return NodeFacts(
        name=wiring.policies.node_name(),
        version=__version__,
        schema=schema,
        engine=engine.kind,
        services=tuple(served),
        region=chosen.region,
        is_spot=chosen.is_spot,
        price_factor=prices.factor(chosen.region, is_spot=chosen.is_spot),
        labels=wiring.policies.node_labels(),
        has_gpu=wiring.settings.inference.gpu,
        lease_seconds=wiring.settings.daemon.lease_seconds,
        is_foreground=is_foreground,
        host=wiring.clock.boot(),
        start=secrets.token_hex(_START_BYTES),
    )


def _service_config(wiring: Wiring, service: Service, sources: Sources, is_foreground: bool) -> ServiceConfig:
    chosen = wiring.policies.service(service)
    return ServiceConfig(
        service=service,
        image=current_tag(service, sources),
        instance_type=chosen.instance_type,
        limits=INSTANCE_TYPES[chosen.instance_type],
        slots=chosen.slots,
        price_per_hour=chosen.price_per_hour,
        pool=pool_settings(chosen, is_foreground=is_foreground),
        waiting_price_per_hour=chosen.scaling.waiting_price_per_hour,
        is_forecast_heeded=chosen.scaling.forecast,
        warm_hours=wiring.policies.warm_hours(service),
        retry=wiring.policies.retry(service),
        runtime=chosen.runtime,
        # What runs programs is a process of this host, and its slots see nothing of it but what they are handed.
        shares_files=wiring.settings.engine.shares_files or service is Service.CODE,
        has_gpu=service is Service.INFERENCE and wiring.settings.inference.gpu,
    )


def prune(wiring: Wiring, *, dry_run: bool) -> Pruned:
    """Do in this process, and at once, what the daemon does now and then: remove what is kept no longer."""
    store = wiring.plain_store()
    if not dry_run:
        store.note_time(now=wiring.clock.now())  # whoever asks for it by hand answers for the clock
    writer = Writer(store)
    try:
        policy = wiring.policies.retention()
        keeper = Housekeeping(store, writer, wiring.artifacts(), wiring.state_dir, policy, wiring.clock)
        return asyncio.run(keeper.prune(dry_run=dry_run))
    finally:
        writer.close()
