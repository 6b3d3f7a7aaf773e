"""All settings, as the file has them."""

from __future__ import annotations

from pitchey_cli.settings.node import DaemonSettings, EngineSettings, HostSettings, NodeSettings
from pitchey_cli.settings.queue import (
    AlertSettings,
    CostSettings,
    LimitSettings,
    QueueSettings,
    RetentionSettings,
    StoreSettings,
)
from pitchey_cli.settings.reach import (
    ApiSettings,
    ArtifactSettings,
    NetworkSettings,
    S3Settings,
    SignOnSettings,
    WebhookSettings,
)
from pitchey_cli.settings.services import CodeSettings, DocumentSettings, InferenceSettings, MediaSettings, Services
from pitchey_cli.settings.setting import setting, tables_of
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    state_dir: str = setting("", "Where queue, artifacts and spools are kept; empty: the user's state directory.")
    engine: EngineSettings = EngineSettings()
    daemon: DaemonSettings = DaemonSettings()
    store: StoreSettings = StoreSettings()
    api: ApiSettings = ApiSettings()
    sign_on: SignOnSettings = SignOnSettings()
    queue: QueueSettings = QueueSettings()
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    network: NetworkSettings = NetworkSettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    s3: S3Settings = S3Settings()
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


TABLES = tables_of(Settings, Settings())  #: of the file alone: their keys are the user's own names
