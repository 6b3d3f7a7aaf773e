"""Every route, and the least role that it takes. What is not in this table is not there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pitchey_cli.api import (
    alerts,
    catalogue,
    dashboard,
    events,
    jobs,
    money,
    nodes,
    people,
    pools,
    queue,
    results,
    resumable,
    said,
    said_nodes,
    said_people,
    said_pools,
    said_webhooks,
    schedules,
    system,
    views,
    webhooks,
)
from pitchey_cli.api.events import EVENT_STREAM
from pitchey_cli.api.results import NDJSON
from pitchey_cli.api.route import Route
from pitchey_cli.domain.access import Area, Role
from pitchey_cli.operations.metrics import CONTENT_TYPE

VIEWER, SUBMITTER, OPERATOR, ADMIN = Role.VIEWER, Role.SUBMITTER, Role.OPERATOR, Role.ADMIN
JOBS, SCHEDULES, POOLS, COST, ACCESS, WEBHOOKS, SYSTEM = (
    Area.JOBS, Area.SCHEDULES, Area.POOLS, Area.COST, Area.ACCESS, Area.WEBHOOKS, Area.SYSTEM
)  # fmt: skip
_KEY: Mapping[str, str] = MappingProxyType({"Idempotency-Key": "The same key gives the same jobs again."})
_ETAG: Mapping[str, str] = MappingProxyType({"If-None-Match": "The ETag of what one has: 304 if it is still that."})
_RANGE: Mapping[str, str] = MappingProxyType({**_ETAG, "Range": "A part, as bytes=0-1023.", "If-Range": "Its ETag."})
_TUS: Mapping[str, str] = MappingProxyType({"Tus-Resumable": "1.0.0"})
_TUS_BEGIN: Mapping[str, str] = MappingProxyType(
    {**_TUS, "Upload-Length": "The size in bytes.", "Upload-Metadata": "filename and sha256, each in base 64."}
)
_TUS_PIECE: Mapping[str, str] = MappingProxyType({**_TUS, "Upload-Offset": "Where the piece begins."})
_BYTES = "application/octet-stream"

#: of the WebSocket, which stands at the path of the stream of events and tells the same
SOCKET_PATH, SOCKET_ROLE, SOCKET_AREA = "/v1/events", VIEWER, JOBS

ROUTES: tuple[Route, ...] = (
    # --- jobs
    Route("POST", "/v1/jobs", SUBMITTER, JOBS, jobs.submit, {201: said.JobsSaid, 200: said.JobsSaid},
          takes_files=True, is_long=True, notes=_KEY),
    Route("GET", "/v1/jobs", VIEWER, JOBS, jobs.list_jobs, {200: said.JobPageSaid}),
    Route("GET", "/v1/jobs/{job}", VIEWER, JOBS, jobs.get_job, {200: said.WholeJobSaid, 304: None},
          is_long=True, notes=_ETAG),
    Route("POST", "/v1/jobs/{job}/cancel", SUBMITTER, JOBS, jobs.cancel, {200: said.CancelSaid, 202: said.CancelSaid}),
    Route("POST", "/v1/jobs/{job}/retry", SUBMITTER, JOBS, jobs.retry, {200: said.JobSaid}),
    Route("GET", "/v1/jobs/{job}/outputs", VIEWER, JOBS, results.list_outputs, {200: said.OutputsSaid, 304: None},
          notes=_ETAG),
    Route("GET", "/v1/jobs/{job}/outputs/{path:path}", VIEWER, JOBS, results.get_output,
          {200: _BYTES, 206: _BYTES, 304: None}, is_long=True, notes=_RANGE),
    Route("GET", "/v1/jobs/{job}/logs", VIEWER, JOBS, results.get_logs, {200: NDJSON}, is_long=True),
    Route("GET", "/v1/jobs/{job}/why", VIEWER, JOBS, jobs.why_job, {200: said.WhySaid}),
    Route("GET", "/v1/events", VIEWER, JOBS, events.stream_events, {200: EVENT_STREAM}, is_long=True,
          notes={"Last-Event-ID": "The last event that one has seen."}),
    # --- files that come piece by piece, as tus 1.0 has it
    Route("OPTIONS", "/v1/uploads", SUBMITTER, JOBS, resumable.describe_uploads, {204: None}),
    Route("POST", "/v1/uploads", SUBMITTER, JOBS, resumable.begin_upload, {201: None, 200: None}, is_long=True,
          notes=_TUS_BEGIN),
    Route("HEAD", "/v1/uploads/{upload}", SUBMITTER, JOBS, resumable.get_upload, {200: None}, is_long=True, notes=_TUS),
    Route("PATCH", "/v1/uploads/{upload}", SUBMITTER, JOBS, resumable.continue_upload, {204: None}, is_long=True,
          notes=_TUS_PIECE),
    Route("DELETE", "/v1/uploads/{upload}", SUBMITTER, JOBS, resumable.remove_upload, {204: None}, notes=_TUS),
    # --- jobs by the many
    Route("GET", "/v1/batches", VIEWER, JOBS, queue.list_batches, {200: said.BatchesSaid}),
    Route("GET", "/v1/batches/{batch}", VIEWER, JOBS, queue.get_batch, {200: said.BatchSaid}),
    Route("POST", "/v1/batches/{batch}/cancel", SUBMITTER, JOBS, queue.cancel_batch, {200: said.CountSaid}),
    Route("POST", "/v1/batches/{batch}/retry", SUBMITTER, JOBS, queue.retry_batch, {200: said.CountSaid}),
    Route("POST", "/v1/pipelines", SUBMITTER, JOBS, queue.run_pipeline, {201: said.BatchSaid},
          takes_files=True, is_long=True),
    Route("GET", "/v1/dead-letters", VIEWER, JOBS, queue.list_dead_letters, {200: said.JobPageSaid}),
    Route("POST", "/v1/dead-letters/retry", OPERATOR, JOBS, queue.retry_dead_letters, {200: said.CountSaid}),
    Route("DELETE", "/v1/dead-letters/{job}", OPERATOR, JOBS, queue.purge_dead_letter, {204: None}),
    # --- schedules
    Route("GET", "/v1/schedules", VIEWER, SCHEDULES, schedules.list_schedules, {200: said.SchedulesSaid}),
    Route("POST", "/v1/schedules", OPERATOR, SCHEDULES, schedules.add_schedule, {201: said.ScheduleSaid}),
    Route("GET", "/v1/schedules/{name}", VIEWER, SCHEDULES, schedules.get_schedule, {200: said.ScheduleSaid}),
    Route("DELETE", "/v1/schedules/{name}", OPERATOR, SCHEDULES, schedules.remove_schedule, {204: None}),
    Route("POST", "/v1/schedules/{name}/pause", OPERATOR, SCHEDULES, schedules.pause_schedule,
          {200: said.ScheduleSaid}),
    Route("POST", "/v1/schedules/{name}/resume", OPERATOR, SCHEDULES, schedules.resume_schedule,
          {200: said.ScheduleSaid}),
    Route("POST", "/v1/schedules/{name}/run", OPERATOR, SCHEDULES, schedules.run_schedule, {201: said.JobsSaid},
          is_long=True),
    # --- instances and scaling
    Route("GET", "/v1/instances", VIEWER, POOLS, pools.list_instances, {200: said_pools.InstancesSaid}),
    Route("POST", "/v1/instances/warm", OPERATOR, POOLS, pools.warm_instances, {200: said_pools.WarmSaid},
          is_of_all=True),
    Route("POST", "/v1/instances/cool", OPERATOR, POOLS, pools.cool_instances, {200: said_pools.CoolSaid},
          is_of_all=True),
    Route("GET", "/v1/scaling", VIEWER, POOLS, pools.get_scaling, {200: said_pools.ScalingSaid}, is_of_all=True),
    Route("GET", "/v1/scaling/events", VIEWER, POOLS, pools.list_scaling_events, {200: said_pools.ScalingEventsSaid},
          is_of_all=True),
    # --- who works on the queue
    Route("GET", "/v1/nodes", VIEWER, POOLS, nodes.list_nodes, {200: said_nodes.NodesSaid}, is_of_all=True),
    Route("GET", "/v1/nodes/{node}", VIEWER, POOLS, nodes.get_node, {200: said_nodes.NodeSaid}, is_of_all=True),
    Route("POST", "/v1/nodes/{node}/drain", ADMIN, POOLS, nodes.drain_node, {200: said_nodes.NodeSaid},
          is_of_all=True),
    Route("POST", "/v1/nodes/{node}/undrain", ADMIN, POOLS, nodes.undrain_node, {200: said_nodes.NodeSaid},
          is_of_all=True),
    Route("DELETE", "/v1/nodes/{node}", ADMIN, POOLS, nodes.remove_node, {200: said_nodes.NodeRemovedSaid},
          is_of_all=True),
    # --- what somebody should look at
    Route("GET", "/v1/alerts", VIEWER, POOLS, alerts.list_alerts, {200: said.AlertsSaid}, is_of_all=True),
    Route("POST", "/v1/alerts/check", OPERATOR, POOLS, alerts.check_alerts, {200: said.AlertsSaid}, is_of_all=True),
    Route("POST", "/v1/alerts/{rule}/test", OPERATOR, POOLS, alerts.test_alert, {204: None}, is_of_all=True),
    Route("PUT", "/v1/alerts/{rule}/silence", OPERATOR, POOLS, alerts.silence_alert, {200: said.AlertSaid},
          is_of_all=True),
    Route("DELETE", "/v1/alerts/{rule}/silence", OPERATOR, POOLS, alerts.unsilence_alert, {204: None}, is_of_all=True),
    # --- money
    Route("GET", "/v1/cost", VIEWER, COST, money.get_cost, {200: said_pools.CostSaid}),
    Route("GET", "/v1/budgets", VIEWER, COST, money.list_budgets, {200: said_pools.BudgetsSaid}),
    Route("PUT", "/v1/budgets", OPERATOR, COST, money.set_budget, {200: said_pools.BudgetSaid}, is_of_all=True),
    Route("DELETE", "/v1/budgets", OPERATOR, COST, money.remove_budget, {204: None}, is_of_all=True),
    # --- who there is
    Route("GET", "/v1/me", VIEWER, SYSTEM, people.whoami, {200: said_people.ActorSaid}, is_of_any_area=True),
    Route("GET", "/v1/organisations", VIEWER, ACCESS, people.list_organisations, {200: said_people.OrganisationsSaid}),
    Route("POST", "/v1/organisations", ADMIN, ACCESS, people.add_organisation,
          {201: said_people.OrganisationSaid, 200: said_people.OrganisationSaid}, is_of_all=True),
    Route("PUT", "/v1/organisations/{organisation}/quota", ADMIN, ACCESS, people.set_quota,
          {200: said_people.OrganisationSaid}, is_of_all=True),
    Route("DELETE", "/v1/organisations/{organisation}", ADMIN, ACCESS, people.remove_organisation, {204: None},
          is_of_all=True),
    Route("GET", "/v1/members", ADMIN, ACCESS, people.list_members, {200: said_people.MembersSaid}),
    Route("PUT", "/v1/members/{member}", ADMIN, ACCESS, people.grant_role, {200: said_people.MemberSaid}),
    Route("DELETE", "/v1/members/{member}", ADMIN, ACCESS, people.revoke_role, {204: None}),
    Route("GET", "/v1/tokens", ADMIN, ACCESS, people.list_tokens, {200: said_people.TokensSaid}),
    Route("POST", "/v1/tokens", ADMIN, ACCESS, people.add_token, {201: said_people.NewTokenSaid}),
    Route("DELETE", "/v1/tokens/{token}", ADMIN, ACCESS, people.revoke_token, {204: None}),
    Route("GET", "/v1/audit", ADMIN, ACCESS, people.list_audit, {200: said_people.AuditSaid}),
    # --- whom to tell
    Route("GET", "/v1/webhooks", ADMIN, WEBHOOKS, webhooks.list_webhooks, {200: said_webhooks.WebhooksSaid}),
    Route("POST", "/v1/webhooks", ADMIN, WEBHOOKS, webhooks.add_webhook, {201: said_webhooks.NewSecretSaid}),
    Route("GET", "/v1/webhooks/{webhook}", ADMIN, WEBHOOKS, webhooks.get_webhook, {200: said_webhooks.WebhookSaid}),
    Route("DELETE", "/v1/webhooks/{webhook}", ADMIN, WEBHOOKS, webhooks.remove_webhook, {204: None}),
    Route("POST", "/v1/webhooks/{webhook}/enable", ADMIN, WEBHOOKS, webhooks.enable_webhook,
          {200: said_webhooks.WebhookSaid}),
    Route("POST", "/v1/webhooks/{webhook}/disable", ADMIN, WEBHOOKS, webhooks.disable_webhook,
          {200: said_webhooks.WebhookSaid}),
    Route("POST", "/v1/webhooks/{webhook}/rotate", ADMIN, WEBHOOKS, webhooks.rotate_webhook,
          {200: said_webhooks.NewSecretSaid}),
    Route("POST", "/v1/webhooks/{webhook}/test", ADMIN, WEBHOOKS, webhooks.test_webhook,
          {202: said_webhooks.DeliverySaid}),
    Route("GET", "/v1/webhooks/{webhook}/deliveries", ADMIN, WEBHOOKS, webhooks.list_deliveries,
          {200: said_webhooks.DeliveriesSaid}),
    Route("POST", "/v1/webhooks/{webhook}/replay", ADMIN, WEBHOOKS, webhooks.replay_deliveries,
          {200: said_webhooks.ReplayedSaid}),
    # --- the system
    Route("GET", "/v1/status", VIEWER, JOBS, system.get_status, {200: said.StatusSaid}),
    Route("GET", "/v1/services", VIEWER, SYSTEM, system.list_services, {200: said.ServicesSaid}, is_of_any_area=True),
    Route("GET", "/v1/models", VIEWER, SYSTEM, catalogue.list_models, {200: said.ModelsSaid}, is_of_any_area=True),
    Route("GET", "/v1/models/{model}", VIEWER, SYSTEM, catalogue.get_model, {200: said.WholeModelSaid},
          is_of_any_area=True),
    Route("GET", "/v1/presets", VIEWER, SYSTEM, catalogue.list_presets, {200: said.PresetsSaid}, is_of_any_area=True),
    # --- what the command line of the same version looks at
    Route("GET", "/v1/surroundings", VIEWER, SYSTEM, views.get_surroundings, {200: said.SurroundingsSaid},
          is_of_any_area=True),
    Route("GET", "/v1/changes", VIEWER, SYSTEM, views.get_changes, {200: said.ChangesSaid}, is_long=True,
          is_of_any_area=True),
    Route("POST", "/v1/views/{view}", VIEWER, SYSTEM, views.look, {200: "application/json"}, is_of_any_area=True),
    Route("GET", "/healthz", None, SYSTEM, system.healthz, {200: said.HealthSaid}),
    Route("GET", "/readyz", None, SYSTEM, system.readyz, {200: said.ReadinessSaid, 503: said.ReadinessSaid}),
    Route("GET", "/metrics", VIEWER, SYSTEM, system.get_metrics, {200: CONTENT_TYPE}, is_of_all=True),
    Route("GET", "/openapi.json", None, SYSTEM, system.get_openapi, {200: "application/json"}),
    Route("GET", "/", None, SYSTEM, dashboard.get_dashboard, {200: dashboard.HTML, 304: None}, notes=_ETAG),
    Route("GET", "/dashboard/{file}", None, SYSTEM, dashboard.get_dashboard_file, {200: _BYTES, 304: None},
          notes=_ETAG),
    Route("POST", "/v1/probe", SUBMITTER, JOBS, jobs.probe, {200: said.WholeJobSaid, 202: said.WholeJobSaid},
          takes_files=True, is_long=True, notes=_KEY),
    # --- a service; last, because its path is any word
    Route("POST", "/v1/{service}", SUBMITTER, JOBS, jobs.submit_to_service,
          {200: said.WholeJobSaid, 202: said.WholeJobSaid}, takes_files=True, is_long=True, notes=_KEY),
)  # fmt: skip
