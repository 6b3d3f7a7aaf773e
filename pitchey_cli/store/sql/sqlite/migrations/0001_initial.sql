-- The first schema.
--
-- Times are INTEGER microseconds since 1970 in UTC: 8 bytes where ISO text takes 32, compared as numbers whatever the
-- offset they came with, exact to what Python's datetime holds, and converted in about a microsecond.
-- Money is INTEGER nanodollars. JSON is TEXT in camelCase. Tables are STRICT: a wrong type is an error and not a row.
--
-- CHECKs on the hot tables use OR and not IN: SQLite builds a table for every IN of three or more, at every insert.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('state_id', lower(hex(randomblob(8))));

CREATE TABLE container_jobs (
    seq                 INTEGER PRIMARY KEY,  -- order of submission; other tables refer to it, because it is short
    id                  TEXT    NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 32),
    service             TEXT    NOT NULL,
    state               TEXT    NOT NULL
        CHECK (state = 'queued' OR state = 'running' OR state = 'succeeded' OR state = 'scheduled' OR state = 'dead'
               OR state = 'cancelled' OR state = 'held'),
    priority            INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 5),
    organisation        TEXT    NOT NULL,
    name                TEXT    NOT NULL,
    spec                TEXT    NOT NULL,
    inputs              TEXT    NOT NULL,
    is_foreground       INTEGER NOT NULL CHECK (is_foreground BETWEEN 0 AND 1),
    batch               TEXT    NOT NULL,
    key                 TEXT    NOT NULL,
    kind                TEXT    NOT NULL,
    size                TEXT    NOT NULL,
    slots               INTEGER NOT NULL CHECK (slots >= 1),
    is_off_peak         INTEGER NOT NULL CHECK (is_off_peak BETWEEN 0 AND 1),
    last_call_at        INTEGER,  -- it waits for off-peak hours no longer than that; only of one with a deadline
    is_spot_ok          INTEGER NOT NULL CHECK (is_spot_ok BETWEEN 0 AND 1),
    on_node             TEXT    NOT NULL,  -- labels that its node must have, as 'gpu=true,region=eu'; '' for any
    flow                INTEGER,  -- the line it stands in, or stood in: of use while it is queued
    idempotency_key     TEXT,
    cache_key           TEXT,
    output              TEXT    NOT NULL DEFAULT '',  -- where its outputs go, as s3://bucket/{job}/
    held_because        TEXT,
    fanned_from         INTEGER,  -- the job that it was a part of, before that became one for each output
    max_attempts        INTEGER NOT NULL CHECK (max_attempts >= 1),
    timeout_seconds     REAL    NOT NULL CHECK (timeout_seconds > 0),
    backoff_seconds     REAL             CHECK (backoff_seconds >= 0),
    deadline            INTEGER,
    expires_at          INTEGER,
    ttl                 INTEGER,  -- how long it may wait once nothing holds it, in microseconds; only of a held one
    attempt             INTEGER NOT NULL DEFAULT 0,
    attempts_used       INTEGER NOT NULL DEFAULT 0 CHECK (attempts_used BETWEEN 0 AND attempt),
    crashes             INTEGER NOT NULL DEFAULT 0 CHECK (crashes BETWEEN 0 AND attempts_used),
    token               TEXT,
    lease_until         INTEGER,
    reason              TEXT,
    error               TEXT,
    details             TEXT,
    verdict             TEXT,  -- how a program of the code service has ended; a job that failed has none
    progress            REAL             CHECK (progress BETWEEN 0 AND 1),
    stage               TEXT,
    eta_seconds         REAL,
    created_at          INTEGER NOT NULL,
    run_at              INTEGER,
    started_at          INTEGER,
    finished_at         INTEGER,
    cancel_requested_at INTEGER,
    CHECK ((state = 'running') = (token IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state = 'succeeded' OR state = 'cancelled' OR state = 'dead') = (finished_at IS NOT NULL)),
    CHECK (state <> 'scheduled' OR run_at IS NOT NULL),
    CHECK (state <> 'queued' OR flow IS NOT NULL),
    CHECK ((state = 'held') = (held_because IS NOT NULL)),
    CHECK (verdict IS NULL OR (state = 'succeeded' AND service = 'code')),
    CHECK (token IS NULL OR token = id || '.' || attempt)
) STRICT;

-- The heads of the lines. Partial: a job that has left the queue costs nothing. The cost of a claim does not know how
-- many jobs wait, because it looks at the heads only. The state leads although it is always the same: the search is
-- covered by the index then.
CREATE INDEX container_jobs_waiting ON container_jobs (state, flow) WHERE state = 'queued';
CREATE INDEX container_jobs_due ON container_jobs (state, run_at) WHERE state = 'scheduled';
CREATE INDEX container_jobs_retrying ON container_jobs (state, run_at, attempt)
    WHERE state = 'scheduled' AND attempt > 0;
CREATE INDEX container_jobs_expiring ON container_jobs (expires_at, finished_at, token)
    WHERE expires_at IS NOT NULL AND finished_at IS NULL AND token IS NULL;
-- Those that wait for off-peak hours, and will have to be started at any price.
CREATE INDEX container_jobs_last_call ON container_jobs (state, is_off_peak, last_call_at)
    WHERE state = 'queued' AND is_off_peak = 1 AND last_call_at IS NOT NULL;
-- Those that became dead letters lately.
CREATE INDEX container_jobs_dead ON container_jobs (state, finished_at) WHERE state = 'dead';
-- The live jobs, and lists of one state, the newest first.
CREATE INDEX container_jobs_state ON container_jobs (state);
CREATE INDEX container_jobs_fanned ON container_jobs (fanned_from) WHERE fanned_from IS NOT NULL;
CREATE INDEX container_jobs_batch ON container_jobs (batch, state) WHERE batch <> '';
-- The batches of one organisation. Neither changes, so a job that moves does not touch it.
CREATE INDEX container_jobs_batch_of ON container_jobs (organisation, batch) WHERE batch <> '';
-- Programs that did not end well: those that end with OK, which are most, cost nothing.
CREATE INDEX container_jobs_verdict ON container_jobs (verdict) WHERE verdict <> 'OK';
CREATE INDEX container_jobs_key ON container_jobs (key) WHERE state = 'running' AND key <> '';
CREATE UNIQUE INDEX container_jobs_idempotency ON container_jobs (organisation, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX container_jobs_cache ON container_jobs (cache_key) WHERE state = 'succeeded' AND cache_key IS NOT NULL;

-- A line of jobs that wait, see domain/turns.py. Its row is there while somebody is in it, and until it is tidied up.
CREATE TABLE job_flows (
    id             INTEGER PRIMARY KEY,
    service        TEXT    NOT NULL,
    size           TEXT    NOT NULL,
    pool           TEXT    NOT NULL,  -- the organisation whose instances take its jobs; '' where all share them
    is_foreground  INTEGER NOT NULL,
    organisation   TEXT    NOT NULL,
    batch          TEXT    NOT NULL,
    priority       INTEGER NOT NULL,
    key            TEXT    NOT NULL,
    is_off_peak    INTEGER NOT NULL,
    is_spot_ok     INTEGER NOT NULL,
    on_node        TEXT    NOT NULL,
    queued         INTEGER NOT NULL CHECK (queued >= 0),
    -- Since when somebody has been in it without a break. Who is first says less: one who is tried again, or who has got
    -- its last call, was due later than those behind it.
    queued_since   INTEGER NOT NULL,
    last_served_at INTEGER,
    UNIQUE (service, size, is_foreground, organisation, batch, priority, key, is_off_peak, is_spot_ok, on_node)
) STRICT;

CREATE INDEX job_flows_waiting ON job_flows (service, size, pool, is_foreground) WHERE queued > 0;
CREATE INDEX job_flows_of ON job_flows (organisation, service) WHERE queued > 0;

-- How much service each organisation has had, divided by its weight; only the differences mean something.
CREATE TABLE organisation_shares (
    service      TEXT NOT NULL,
    organisation TEXT NOT NULL,
    served       REAL NOT NULL,
    PRIMARY KEY (service, organisation)
) STRICT, WITHOUT ROWID;

-- When jobs of a key with a rate limit may start again.
CREATE TABLE key_rates (
    key           TEXT    PRIMARY KEY,
    next_start_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which job waits for which.
CREATE TABLE job_dependencies (
    job_seq    INTEGER NOT NULL REFERENCES container_jobs (seq) ON DELETE CASCADE,
    needs_seq  INTEGER NOT NULL REFERENCES container_jobs (seq) ON DELETE CASCADE,
    on_failure TEXT    NOT NULL CHECK (on_failure = 'cancel' OR on_failure = 'run' OR on_failure = 'hold'),
    is_source  INTEGER NOT NULL CHECK (is_source BETWEEN 0 AND 1),  -- its outputs are what the job works on
    PRIMARY KEY (job_seq, needs_seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_dependencies_needs ON job_dependencies (needs_seq);

-- Jobs that are submitted again and again, see domain/recurrence.py.
CREATE TABLE job_schedules (
    name       TEXT    PRIMARY KEY,
    service    TEXT    NOT NULL,
    cron       TEXT    NOT NULL,
    timezone   TEXT    NOT NULL,
    misfire    TEXT    NOT NULL,
    request    TEXT    NOT NULL,
    is_paused  INTEGER NOT NULL CHECK (is_paused BETWEEN 0 AND 1),
    created_at INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    last_at    INTEGER,
    last_error TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX job_schedules_next ON job_schedules (is_paused, next_at) WHERE is_paused = 0;

-- The instance type on which a kind of input has last succeeded after memory had run out on a smaller one.
CREATE TABLE size_hints (
    service TEXT NOT NULL,
    input   TEXT NOT NULL,
    size    TEXT NOT NULL,
    PRIMARY KEY (service, input)
) STRICT, WITHOUT ROWID;

-- How many jobs stand where. With a million finished jobs, counting an index takes 160 ms and reading this 0.03 ms.
-- Kept by the store in the transaction that moves the jobs, once for each call; triggers would do the same once for
-- each job, and make a bulk submission a sixth slower. The queued ones are counted by their lines, in job_flows.
-- `integrity()` compares.
-- By organisation, whose people ask after each event.
CREATE TABLE job_counts (
    organisation TEXT    NOT NULL,
    service      TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state <> 'queued'),
    jobs         INTEGER NOT NULL,
    PRIMARY KEY (organisation, service, state)
) STRICT, WITHOUT ROWID;

-- The token of an attempt is "<id of the job>.<number>", so it is not stored again. instance_id is no foreign key: what
-- an instance has done outlives its row.
CREATE TABLE job_attempts (
    job_seq          INTEGER NOT NULL REFERENCES container_jobs (seq) ON DELETE CASCADE,
    number           INTEGER NOT NULL CHECK (number >= 1),
    instance_id      TEXT    NOT NULL,
    started_at       INTEGER NOT NULL,
    started_tick     INTEGER NOT NULL,  -- ticks: see container_instances
    slots            INTEGER NOT NULL CHECK (slots >= 1),  -- that it takes of its instance
    accepted_at      INTEGER,
    finished_at      INTEGER,
    finished_tick    INTEGER,
    reason           TEXT,
    error            TEXT,
    usage            TEXT,
    cost_nanodollars INTEGER CHECK (cost_nanodollars >= 0),
    PRIMARY KEY (job_seq, number),
    CHECK ((reason IS NULL) = (finished_at IS NULL)),
    CHECK ((finished_tick IS NULL) = (finished_at IS NULL)),
    CHECK (finished_tick >= started_tick)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: an id is never given out twice, even when old events have been removed, so that a reader who
-- remembers the last id it saw misses nothing.
CREATE TABLE job_events (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    job_seq INTEGER REFERENCES container_jobs (seq) ON DELETE CASCADE,  -- NULL: a fact about no job, but the node
    at      INTEGER NOT NULL,
    type    TEXT    NOT NULL,
    data    TEXT    NOT NULL
) STRICT;

CREATE INDEX job_events_job ON job_events (job_seq);

-- Every content that an output refers to. Inputs stand in their job's row: a submission is one row and one event.
CREATE TABLE artifacts (
    sha256     TEXT    PRIMARY KEY CHECK (length(sha256) = 64),
    size       INTEGER NOT NULL CHECK (size >= 0),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE job_outputs (
    job_seq    INTEGER NOT NULL REFERENCES container_jobs (seq) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    path       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    sha256     TEXT    NOT NULL REFERENCES artifacts (sha256),
    details    TEXT    NOT NULL,
    PRIMARY KEY (job_seq, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_outputs_sha256 ON job_outputs (sha256);

-- Ticks are hundredths of a second on the machine's monotonic clock, since the boot that stands beside them.
CREATE TABLE container_instances (
    id                     TEXT    NOT NULL PRIMARY KEY,
    service                TEXT    NOT NULL,
    node                   TEXT    NOT NULL,  -- the id of the one that has started it
    engine                 TEXT    NOT NULL,
    image                  TEXT    NOT NULL,
    slots                  INTEGER NOT NULL CHECK (slots >= 1),
    size                   TEXT    NOT NULL,
    organisation           TEXT    NOT NULL,  -- for which alone it works; '' for all
    state                  TEXT    NOT NULL CHECK (state IN ('starting', 'ready', 'paused', 'draining', 'stopped', 'lost')),
    requested_cpus         REAL    NOT NULL,
    requested_memory_bytes INTEGER NOT NULL,
    granted_cpus           REAL    NOT NULL,
    granted_memory_bytes   INTEGER NOT NULL,
    created_at             INTEGER NOT NULL,
    ready_at               INTEGER,
    stopped_at             INTEGER,
    note                   TEXT,
    instance_type          TEXT    NOT NULL,
    region                 TEXT    NOT NULL,
    tariff                 TEXT    NOT NULL,  -- its price, as it was set when it was created
    boot                   TEXT    NOT NULL,
    created_tick           INTEGER NOT NULL,
    ready_tick             INTEGER          CHECK (ready_tick >= created_tick),
    seen_tick              INTEGER NOT NULL CHECK (seen_tick >= created_tick),  -- no end of an attempt is later
    stopped_tick           INTEGER          CHECK (stopped_tick >= seen_tick),
    paused_tick            INTEGER,  -- since when it is paused
    paused_ticks           INTEGER NOT NULL CHECK (paused_ticks >= 0),  -- in pauses that are over
    cost_nanodollars       INTEGER          CHECK (cost_nanodollars >= 0),
    models                 TEXT    NOT NULL DEFAULT '{}',  -- that it has loaded: an object of names and bytes of memory
    CHECK ((state IN ('stopped', 'lost')) = (stopped_at IS NOT NULL)),
    CHECK ((stopped_tick IS NULL) = (stopped_at IS NULL))
) STRICT;

CREATE INDEX container_instances_active ON container_instances (stopped_at, created_at);
CREATE INDEX container_instances_node ON container_instances (node) WHERE stopped_at IS NULL;

-- The daemons that have ever worked on this database, see domain/nodes.py. Only the beat, the epoch and the state decide
-- anything; beat_at is by the node's own clock, and for people.
CREATE TABLE nodes (
    id                TEXT    PRIMARY KEY,
    name              TEXT    NOT NULL,
    version           TEXT    NOT NULL,
    schema            INTEGER NOT NULL,
    engine            TEXT    NOT NULL,
    services          TEXT    NOT NULL,  -- JSON
    region            TEXT    NOT NULL,
    is_spot           INTEGER NOT NULL CHECK (is_spot BETWEEN 0 AND 1),
    price_factor      REAL    NOT NULL,
    labels            TEXT    NOT NULL,  -- JSON
    has_gpu           INTEGER NOT NULL CHECK (has_gpu BETWEEN 0 AND 1),
    lease_seconds     REAL    NOT NULL,
    is_foreground     INTEGER NOT NULL CHECK (is_foreground BETWEEN 0 AND 1),
    state             TEXT    NOT NULL CHECK (state = 'up' OR state = 'down' OR state = 'removed'),
    is_drained        INTEGER NOT NULL DEFAULT 0 CHECK (is_drained BETWEEN 0 AND 1),
    epoch             INTEGER NOT NULL CHECK (epoch >= 1),
    beat              INTEGER NOT NULL CHECK (beat >= 0),
    started_at        INTEGER NOT NULL,
    beat_at           INTEGER NOT NULL,
    cpus              REAL    NOT NULL,
    memory_bytes      INTEGER NOT NULL,
    free_cpus         REAL    NOT NULL,
    free_memory_bytes INTEGER NOT NULL,
    host              TEXT    NOT NULL,  -- its machine since that was started: nodes of one share its memory
    start_id          TEXT    NOT NULL,
  -- How it does by its last beat; NULL is not known. domain/readings.py makes alerts of it.
    disk_free_bytes   INTEGER,
    engine_away_seconds REAL,
    lost_at           INTEGER  -- since when it is away without having said that it would be
) STRICT, WITHOUT ROWID;

-- How long things took: one row for each time, or for several about as long, with the longest of them.
CREATE TABLE container_metrics (
    id           INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    service      TEXT    NOT NULL,
    size         TEXT    NOT NULL,
    organisation TEXT    NOT NULL,
    name         TEXT    NOT NULL CHECK (name IN ('start', 'unpause', 'cold_pickup', 'warm_pickup')),
    seconds      REAL    NOT NULL CHECK (seconds >= 0),
    count        INTEGER NOT NULL CHECK (count >= 1)
) STRICT;

CREATE INDEX container_metrics_name ON container_metrics (service, name, at);
CREATE INDEX container_metrics_at ON container_metrics (at);

-- How each pool stood, every few seconds while there was anything in it, and once when there was nothing any more.
CREATE TABLE pool_samples (
    id             INTEGER PRIMARY KEY,
    at             INTEGER NOT NULL,
    service        TEXT    NOT NULL,
    size           TEXT    NOT NULL,
    organisation   TEXT    NOT NULL,
    node           TEXT    NOT NULL,  -- whose part of the pool it was
    waiting        INTEGER NOT NULL,
    running        INTEGER NOT NULL,
    starting       INTEGER NOT NULL,
    ready          INTEGER NOT NULL,
    paused         INTEGER NOT NULL,
    wanted         INTEGER NOT NULL,
    wait_seconds   REAL,
    demand         REAL,
    cpu            REAL,
    memory         REAL,
    most_waiting   INTEGER NOT NULL,  -- at any look since the sample before
    most_instances INTEGER NOT NULL
) STRICT;

CREATE INDEX pool_samples_at ON pool_samples (at);

-- Every decision that has changed something.
CREATE TABLE container_scaling_events (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    service      TEXT    NOT NULL,
    size         TEXT    NOT NULL,
    organisation TEXT    NOT NULL,
    node         TEXT    NOT NULL,
    change       TEXT    NOT NULL CHECK (change IN ('wanted', 'pause', 'stop', 'give_way')),
    instance_id  TEXT    NOT NULL,
    was          INTEGER NOT NULL,
    wanted       INTEGER NOT NULL,
    rule         TEXT    NOT NULL,
    why          TEXT    NOT NULL
) STRICT;

CREATE INDEX container_scaling_events_service ON container_scaling_events (service, id);
CREATE INDEX container_scaling_events_at ON container_scaling_events (at);

-- The last decision of each node about each pool, whether it has changed anything or not, with all that led to it. That of an
-- organisation's pool goes when nothing has been in it for long.
CREATE TABLE pool_decisions (
    service      TEXT    NOT NULL,
    size         TEXT    NOT NULL,
    organisation TEXT    NOT NULL,
    node         TEXT    NOT NULL,  -- that has decided
    at           INTEGER NOT NULL,
    explanation  TEXT    NOT NULL,
    PRIMARY KEY (service, size, organisation, node)
) STRICT, WITHOUT ROWID;

CREATE INDEX pool_decisions_at ON pool_decisions (at) WHERE organisation <> '';

-- How many jobs came when: what the forecast learns from. It outlives the jobs.
CREATE TABLE job_arrivals (
    service  TEXT    NOT NULL,
    interval INTEGER NOT NULL,  -- of five minutes, since 1970
    jobs     INTEGER NOT NULL,
    ended    INTEGER NOT NULL,
    seconds  REAL    NOT NULL,
    PRIMARY KEY (service, interval)
) STRICT, WITHOUT ROWID;

-- What is expected of each service, and how well that has done before.
CREATE TABLE forecasts (
    service      TEXT    PRIMARY KEY,
    at           INTEGER NOT NULL,
    instances    INTEGER NOT NULL,
    is_in_force  INTEGER NOT NULL CHECK (is_in_force BETWEEN 0 AND 1),
    history_days REAL    NOT NULL,
    error        REAL,
    naive_error  REAL,
    flat_error   REAL,
    why          TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- How many instances of a service, or of a service and an organisation, somebody wants ready, and until when.
CREATE TABLE warm_requests (
    service      TEXT    NOT NULL,
    organisation TEXT    NOT NULL,
    instances    INTEGER NOT NULL CHECK (instances >= 1),
    until        INTEGER NOT NULL,
    PRIMARY KEY (service, organisation)
) STRICT, WITHOUT ROWID;

-- The ledger, see domain/cost.py: what has ended, hour by hour. It outlives the jobs and instances that it is made of.
-- The organisation leads, so that a budget is one search; the lines of instances have none.
CREATE TABLE container_costs (
    organisation  TEXT    NOT NULL,
    hour          INTEGER NOT NULL,  -- its beginning
    service       TEXT    NOT NULL,
    instance_type TEXT    NOT NULL,
    region        TEXT    NOT NULL,
    batch         TEXT    NOT NULL,
    line          TEXT    NOT NULL
        CHECK (line = 'work' OR line = 'failed' OR line = 'instance' OR line = 'start' OR line = 'paused'),
    ticks         INTEGER NOT NULL CHECK (ticks >= 0),  -- of slots
    nanodollars   INTEGER NOT NULL CHECK (nanodollars >= 0),
    attempts      INTEGER NOT NULL CHECK (attempts >= 0),
    PRIMARY KEY (organisation, hour, service, instance_type, region, batch, line)
) STRICT, WITHOUT ROWID;

-- What may be spent, see domain/budget.py. An empty organisation or service means all.
CREATE TABLE budgets (
    organisation TEXT    NOT NULL,
    service      TEXT    NOT NULL,
    period       TEXT    NOT NULL CHECK (period = 'day' OR period = 'week' OR period = 'month'),
    nanodollars  INTEGER NOT NULL CHECK (nanodollars > 0),
    set_at       INTEGER NOT NULL,
    PRIMARY KEY (organisation, service, period)
) STRICT, WITHOUT ROWID;

-- What has been told of budgets: a row for each threshold, so that nobody tells it twice. No foreign key: a budget that
-- is removed and set again in the same period is no news.
CREATE TABLE budget_thresholds (
    organisation TEXT    NOT NULL,
    service      TEXT    NOT NULL,
    period       TEXT    NOT NULL,
    began_at     INTEGER NOT NULL,
    percent      INTEGER NOT NULL,
    nanodollars  INTEGER NOT NULL,  -- of the budget then: another amount has its thresholds anew
    PRIMARY KEY (organisation, service, period, began_at, percent, nanodollars)
) STRICT, WITHOUT ROWID;

-- Where each alert rule stands, see domain/alerts.py; the rules themselves are code and settings.
CREATE TABLE alerts (
    rule             TEXT PRIMARY KEY,
    broken_since     INTEGER,
    firing_since     INTEGER,
    told_at          INTEGER,
    resolved_at      INTEGER,
    about            TEXT NOT NULL,
    silenced_until   INTEGER,
    silenced_because TEXT,
    silenced_by      TEXT,
    CHECK (firing_since IS NULL OR broken_since IS NOT NULL),
    CHECK (told_at IS NULL OR firing_since IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- Whose jobs, files and costs are apart from others', as far as more than the name is known. See domain/access.py.
CREATE TABLE organisations (
    name         TEXT    PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    created_at   INTEGER NOT NULL,
    most_queued  INTEGER CHECK (most_queued >= 0),  -- NULL: any number
    most_running INTEGER CHECK (most_running >= 0),
    most_bytes   INTEGER CHECK (most_bytes >= 0),
    -- Of the files that its jobs refer to, each counted for each job: counted by the triggers below, and only while there
    -- is a limit to it.
    bytes        INTEGER CHECK ((bytes IS NULL) = (most_bytes IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX organisations_running ON organisations (most_running, name) WHERE most_running IS NOT NULL;

CREATE TRIGGER bytes_of_a_new_job AFTER INSERT ON container_jobs
    WHEN EXISTS (SELECT 1 FROM organisations WHERE name = NEW.organisation AND most_bytes IS NOT NULL)
BEGIN
    UPDATE organisations
       SET bytes = bytes + (SELECT coalesce(sum(value ->> 'size'), 0) FROM json_each(NEW.inputs))
     WHERE name = NEW.organisation;
END;

CREATE TRIGGER bytes_of_a_job_that_was_fed AFTER UPDATE OF inputs ON container_jobs
    WHEN EXISTS (SELECT 1 FROM organisations WHERE name = NEW.organisation AND most_bytes IS NOT NULL)
BEGIN
    UPDATE organisations
       SET bytes = bytes + (SELECT coalesce(sum(value ->> 'size'), 0) FROM json_each(NEW.inputs))
                         - (SELECT coalesce(sum(value ->> 'size'), 0) FROM json_each(OLD.inputs))
     WHERE name = NEW.organisation;
END;

CREATE TRIGGER bytes_of_a_removed_job BEFORE DELETE ON container_jobs
    WHEN EXISTS (SELECT 1 FROM organisations WHERE name = OLD.organisation AND most_bytes IS NOT NULL)
BEGIN
    UPDATE organisations
       SET bytes = bytes - (SELECT coalesce(sum(value ->> 'size'), 0) FROM json_each(OLD.inputs))
                         - (SELECT coalesce(sum(a.size), 0)
                              FROM job_outputs o JOIN artifacts a ON a.sha256 = o.sha256 WHERE o.job_seq = OLD.seq)
     WHERE name = OLD.organisation;
END;

CREATE TRIGGER bytes_of_a_new_output AFTER INSERT ON job_outputs
BEGIN
    UPDATE organisations SET bytes = bytes + (SELECT size FROM artifacts WHERE sha256 = NEW.sha256)
     WHERE name = (SELECT organisation FROM container_jobs WHERE seq = NEW.job_seq) AND most_bytes IS NOT NULL;
END;

INSERT INTO organisations (name, created_at) VALUES ('default', 0);

CREATE TABLE organisation_members (
    organisation TEXT    NOT NULL REFERENCES organisations (name) ON DELETE CASCADE,
    member       TEXT    NOT NULL CHECK (length(member) BETWEEN 1 AND 200),
    role         TEXT    NOT NULL CHECK (role IN ('viewer', 'submitter', 'operator', 'admin')),
    added_at     INTEGER NOT NULL,
    PRIMARY KEY (organisation, member)
) STRICT, WITHOUT ROWID;

-- No row is ever removed: that there was one is why the API is closed to whoever shows none.
CREATE TABLE api_tokens (
    id           TEXT    PRIMARY KEY,
    name         TEXT    NOT NULL,
    organisation TEXT    NOT NULL,  -- '' for the whole installation
    role         TEXT    NOT NULL CHECK (role IN ('viewer', 'submitter', 'operator', 'admin')),
    areas        TEXT    NOT NULL,  -- '' for all, else names with commas between
    member       TEXT    NOT NULL,  -- '' for nobody in particular
    digest       TEXT    NOT NULL CHECK (length(digest) = 64),
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT, WITHOUT ROWID;

-- Everything that somebody has changed, noted in the transaction that changed it.
CREATE TABLE audit_log (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    organisation TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    target       TEXT    NOT NULL,
    data         TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_log_organisation ON audit_log (organisation, id);

CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;

CREATE TRIGGER audit_log_is_not_cut BEFORE DELETE ON audit_log
BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;

-- Whom somebody wants told of what happens, see domain/webhooks.py.
CREATE TABLE webhook_endpoints (
    id               TEXT    PRIMARY KEY,
    name             TEXT    NOT NULL,
    organisation     TEXT    NOT NULL,  -- '' for the whole installation
    url              TEXT    NOT NULL,
    types            TEXT    NOT NULL,  -- '' for all, else names with a space before, between and behind
    services         TEXT    NOT NULL,  -- the same of services
    secret           TEXT    NOT NULL,  -- not a hash: what is sent is signed with it
    old_secret       TEXT,              -- the one before, with which it is signed as well until then
    old_secret_until INTEGER,
    created_at       INTEGER NOT NULL,
    disabled_at      INTEGER,
    disabled_because TEXT,
    failures         INTEGER NOT NULL DEFAULT 0,  -- since the last success
    rests_until      INTEGER,
    pending          INTEGER NOT NULL DEFAULT 0,  -- of its deliveries; triggers count
    missed           INTEGER NOT NULL DEFAULT 0,  -- messages that were not written down, because so many waited
    CHECK ((old_secret IS NULL) = (old_secret_until IS NULL)),
    UNIQUE (organisation, name),
    CHECK ((disabled_at IS NULL) = (disabled_because IS NULL))
) STRICT, WITHOUT ROWID;

-- The outbox: a row for each message and endpoint that wants it. Those about one thing (subject: a job, a batch, a rule)
-- are sent in their order: only the first of those that are pending has a time.
CREATE TABLE webhook_deliveries (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT    NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    message_id TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    data       TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    until_at   INTEGER NOT NULL,  -- it is tried no longer than that
    state      TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    next_at    INTEGER,
    tries      INTEGER NOT NULL DEFAULT 0,
    tried_at   INTEGER,
    status     INTEGER,  -- that the last try was answered with
    note       TEXT,     -- why the last try failed
    ended_at   INTEGER,
    CHECK (state = 'pending' OR next_at IS NULL),
    CHECK ((state = 'pending') = (ended_at IS NULL))
) STRICT;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at)
    WHERE state = 'pending' AND next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_subject ON webhook_deliveries (webhook_id, subject, id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_until ON webhook_deliveries (until_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id);
CREATE UNIQUE INDEX webhook_deliveries_message ON webhook_deliveries (message_id);

-- An endpoint for which 100,000 messages wait gets no more of them: whoever does not answer must not fill the disk.
CREATE TRIGGER webhook_deliveries_are_too_many BEFORE INSERT ON webhook_deliveries
  WHEN (SELECT pending FROM webhook_endpoints WHERE id = NEW.webhook_id) >= 100000
BEGIN
    UPDATE webhook_endpoints SET missed = missed + 1 WHERE id = NEW.webhook_id;
    SELECT raise(IGNORE);
END;

CREATE TRIGGER webhook_deliveries_insert AFTER INSERT ON webhook_deliveries WHEN NEW.state = 'pending'
BEGIN
    UPDATE webhook_endpoints SET pending = pending + 1 WHERE id = NEW.webhook_id;
END;

CREATE TRIGGER webhook_deliveries_state AFTER UPDATE OF state ON webhook_deliveries WHEN NEW.state <> OLD.state
BEGIN
    UPDATE webhook_endpoints SET pending = pending + (NEW.state = 'pending') - (OLD.state = 'pending')
     WHERE id = NEW.webhook_id;
END;

-- What an event is called outside. An event that is not here is nobody's business but ours. The trigger that writes
-- deliveries is there while somebody wants to be told, and no longer: `tell_webhooks` in queries.sql.
CREATE TABLE webhook_types (
    event TEXT PRIMARY KEY,
    type  TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

INSERT INTO webhook_types (event, type) VALUES
    ('submitted', 'job.submitted'), ('released', 'job.released'), ('held', 'job.held'), ('claimed', 'job.started'),
    ('retrying', 'job.retrying'), ('interrupted', 'job.interrupted'), ('succeeded', 'job.succeeded'),
    ('cancelled', 'job.cancelled'), ('dead', 'job.dead'), ('redriven', 'job.redriven'),
    ('budget_reached', 'budget.reached'), ('alert_fired', 'alert.fired'), ('alert_resolved', 'alert.resolved');
