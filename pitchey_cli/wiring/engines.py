"""The engine that runs instances, the images that it needs, and what programs are told of this host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pitchey_cli import settings as configuration
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.policies import Policies
from pitchey_cli.values import dataclass

if TYPE_CHECKING:
    from pitchey_cli.domain.surroundings import Surroundings
    from pitchey_cli.engines.images import Sources
    from pitchey_cli.engines.port import Engine
    from pitchey_cli.models.store import ModelStore
    from processors.vocabulary import Service


@dataclass(frozen=True)
class Engines:
    """What is set about engines and images, and the adapters that it asks for."""

    settings: configuration.Settings
    state_dir: Path

    @property
    def policies(self) -> Policies:
        """What is set, in the words of the domain."""
        return Policies(self.settings)

    def models(self) -> ModelStore:
        """The models of this machine."""
        from pitchey_cli.models.store import ModelStore

        return ModelStore(layout.models(self.state_dir))

    def connect(self, kind: str | None = None) -> Engine:
        """Connect to the engine that is set, or to the first that answers.

        Raises:
            EngineUnavailable: none does; says what was tried.
        """
        from pitchey_cli.engines.containers import ContainerEngine
        from pitchey_cli.engines.discovery import connect
        from pitchey_cli.engines.grouped import GroupedEngine

        wanted = kind or self.settings.engine.kind
        self.check_kind(wanted)
        engine = connect(wanted, self.settings.engine.url or None, state_dir=self.state_dir)
        if not isinstance(engine, ContainerEngine):
            return engine
        root = layout.supervisors(self.state_dir)
        return GroupedEngine(engine, engine.endpoint, root, self.surroundings)

    def check_kind(self, kind: str) -> None:
        """Raise UsageError for a word that names no engine."""
        if kind not in configuration.ENGINE_KINDS:
            kinds = ", ".join(configuration.ENGINE_KINDS)
            raise UsageError(f"There is no engine {kind!r}.", hint=f"There are {kinds}.")

    def surroundings(self) -> Surroundings:
        """What supervisors of programs that nobody trusts are told of this host."""
        from pitchey_cli.domain.surroundings import Surroundings, proxies_of

        bundle, chosen = self.ca_bundle(), self.settings.code
        return Surroundings(
            packages_dir=str(layout.packages(self.state_dir.resolve())),
            outward=self.policies.outward(),
            ca_bundle=str(bundle.resolve()) if bundle is not None else "",
            proxies=proxies_of(os.environ),
            packages_days=chosen.packages_days,
            packages_bytes=chosen.packages_bytes,
        )

    def ca_bundle(self, explicit: Path | None = None) -> Path | None:
        """The CA bundle for image builds: the one that is named, else the one that is set, else the environment's."""
        from pitchey_cli.engines.images import find_ca_bundle

        chosen = self.settings.engine.ca_bundle
        return find_ca_bundle(explicit or (Path(chosen) if chosen else None))

    def sources(self) -> Sources:
        """What images are made of; that of inference with the frameworks that the models of this machine need."""
        from pitchey_cli.engines.images import Sources
        from processors.vocabulary import VARIANTS

        needed = {VARIANTS[each] for each in self.models().frameworks() if each in VARIANTS}
        return Sources(ocr_languages=self.policies.ocr_languages(), frameworks=tuple(sorted(needed)))

    def image_tag(self, service: Service) -> str:
        """The image that a service runs in."""
        from pitchey_cli.engines.images import current_tag

        return current_tag(service, self.sources())
