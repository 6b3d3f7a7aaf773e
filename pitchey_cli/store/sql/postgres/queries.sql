-- What Pitchey asks of PostgreSQL: the same names with the same parameters as in sql/sqlite/queries.sql, whose comments
-- hold here as well. tests/integration/test_postgres_plans.py holds every block to an index.

-- --- submission

-- name: insert_job
INSERT INTO container_jobs (id, service, state, priority, organisation, name, spec, inputs, is_foreground, batch, key,
                            kind, size, slots, is_off_peak, last_call_at, is_spot_ok, on_node, flow, idempotency_key,
                            cache_key, output, held_because, max_attempts, timeout_seconds, backoff_seconds, deadline,
                            expires_at, ttl, run_at, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: last_seq
-- Of the job that was submitted last. A batch is numbered without gaps: nobody else writes meanwhile.
SELECT max(seq) FROM container_jobs;

-- name: insert_submitted
-- Of the job that was submitted so many before the last one: its number need not be asked for.
INSERT INTO job_events (job_seq, at, type, data)
VALUES ((SELECT max(seq) FROM container_jobs) - ?, ?, 'submitted', ?);

-- name: count_jobs
INSERT INTO job_counts AS counted (organisation, service, state, jobs) VALUES (?, ?, ?, ?)
    ON CONFLICT (organisation, service, state) DO UPDATE SET jobs = counted.jobs + excluded.jobs;

-- name: insert_event
INSERT INTO job_events (job_seq, at, type, data) VALUES (?, ?, ?, ?);

-- name: job_by_idempotency_key
SELECT * FROM container_jobs
 WHERE organisation = :organisation AND idempotency_key = :key AND idempotency_key IS NOT NULL;

-- name: cached_job
-- The newest one that succeeded with the same spec, inputs and image.
SELECT * FROM container_jobs
 WHERE cache_key = :cache_key AND state = 'succeeded' AND cache_key IS NOT NULL AND organisation = :organisation
 ORDER BY seq DESC LIMIT 1;

-- name: succeed_from_cache
UPDATE container_jobs
   SET state = 'succeeded', reason = 'completed', progress = 1.0, finished_at = :now, flow = NULL,
       (details, verdict) = (SELECT details, verdict FROM container_jobs WHERE id = :from_id)
 WHERE seq = :seq;

-- name: copy_outputs
INSERT INTO job_outputs (job_seq, position, path, role, media_type, sha256, details)
SELECT :seq, o.position, o.path, o.role, o.media_type, o.sha256, o.details
  FROM container_jobs j JOIN job_outputs o ON o.job_seq = j.seq
 WHERE j.id = :from_id;

-- --- lines

-- name: join_flow
-- Somebody joins a line; it is made if it is not there.
INSERT INTO job_flows AS line (service, size, pool, is_foreground, organisation, batch, priority, key, is_off_peak,
                               is_spot_ok, on_node, queued, queued_since)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (service, size, is_foreground, organisation, batch, priority, key, is_off_peak, is_spot_ok, on_node)
    DO UPDATE SET queued = line.queued + excluded.queued,
       queued_since = CASE WHEN line.queued = 0 THEN excluded.queued_since ELSE line.queued_since END
RETURNING id;

-- name: leave_flow
UPDATE job_flows SET queued = queued - 1 WHERE id = (SELECT flow FROM container_jobs WHERE seq = :seq);

-- name: serve_flow
UPDATE job_flows SET queued = queued - ?, last_served_at = ? WHERE id = ?;

-- name: waiting_flows
-- The lines of a pool, and when the first in each was due; as of `heads`, the range of one line is on purpose.
SELECT f.id, f.organisation, f.batch, f.priority, f.key, f.is_off_peak, f.is_spot_ok, f.on_node, f.queued,
       f.queued_since, f.last_served_at,
       (SELECT coalesce(j.run_at, j.created_at) FROM container_jobs j
         WHERE j.flow BETWEEN f.id AND f.id AND j.state = 'queued' ORDER BY j.flow, j.seq LIMIT 1) AS first_due_at
  FROM job_flows f
 WHERE f.queued > 0 AND f.service = :service AND f.size = :size AND f.pool = :organisation
   AND f.is_foreground >= :foreground_only
 ORDER BY f.is_foreground, f.id;

-- name: is_anybody_waiting
SELECT EXISTS (SELECT 1 FROM job_flows
                WHERE queued > 0 AND service = :service AND size = :size AND pool = :organisation
                  AND is_foreground >= :foreground_only);

-- name: heads
-- The first of a line. A range of one, so that only the index of those that wait has the order: where nearly all jobs wait
-- in one line, the planner expects to find its first soon among all jobs by their number, and would read past all that
-- have ended.
SELECT seq, slots, kind, organisation, crashes FROM container_jobs
 WHERE flow BETWEEN :flow AND :flow AND state = 'queued' AND (expires_at IS NULL OR expires_at > :now)
 ORDER BY flow, seq LIMIT :limit;

-- name: waiting_pools
SELECT DISTINCT size, pool FROM job_flows
 WHERE queued > 0 AND service = :service AND is_foreground >= :foreground_only;

-- name: shares
SELECT organisation, served FROM organisation_shares WHERE service = :service;

-- name: set_share
INSERT INTO organisation_shares (service, organisation, served) VALUES (?, ?, ?)
    ON CONFLICT (service, organisation) DO UPDATE SET served = excluded.served;

-- name: keys_running
SELECT key, count(*) AS running FROM container_jobs WHERE state = 'running' AND key <> '' GROUP BY key;

-- name: key_rates
SELECT key, next_start_at FROM key_rates;

-- name: set_key_rate
INSERT INTO key_rates (key, next_start_at) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET next_start_at = excluded.next_start_at;

-- name: forget_empty_flows
DELETE FROM job_flows WHERE queued = 0 AND coalesce(last_served_at, 0) < :before;

-- name: forget_key_rates
DELETE FROM key_rates WHERE next_start_at < :before;

-- --- claim

-- name: claim
-- One atomic statement: what it returns belongs to this node, and to nobody else. The order of the rows is not defined;
-- the caller sorts them.
UPDATE container_jobs
   SET state = 'running', attempt = attempt + 1, token = id || '.' || (attempt + 1), lease_until = :lease_until,
       started_at = :now, reason = NULL, error = NULL, progress = NULL, stage = NULL, eta_seconds = NULL
 WHERE seq = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(CAST(:seqs AS json)) AS value))
   AND state = 'queued'
RETURNING *;

-- name: insert_attempt
INSERT INTO job_attempts (job_seq, number, instance_id, started_at, started_tick, slots) VALUES (?, ?, ?, ?, ?, ?);

-- --- the live attempt; each repeats the guard: the job runs, and this token is the live one

-- name: accept_attempt
UPDATE job_attempts
   SET accepted_at = :now
 WHERE job_seq = (SELECT seq FROM container_jobs WHERE id = :job_id AND state = 'running' AND token = :token)
   AND number = :number AND accepted_at IS NULL
RETURNING job_seq;

-- name: end_ttl
-- A job that has been started once expires only with its deadline.
UPDATE container_jobs SET expires_at = deadline WHERE seq = :seq;

-- name: note_progress
UPDATE container_jobs
   SET progress = :fraction, stage = :stage, eta_seconds = :eta_seconds
 WHERE id = :job_id AND state = 'running' AND token = :token
RETURNING seq;

-- name: renew_lease
UPDATE container_jobs
   SET lease_until = :lease_until
 WHERE id = :job_id AND state = 'running' AND token = :token;

-- name: held_by
-- Of these jobs, those that run: what they are, what decides the bills of their attempts, and whether others wait for
-- them. Without a record of its instance, nothing can be said of what an attempt has cost.
SELECT j.*, a.instance_id, a.started_tick, a.slots AS taken, i.seen_tick, i.stopped_tick,
       EXISTS (SELECT 1 FROM job_dependencies d WHERE d.needs_seq = j.seq) AS is_waited_for
  FROM container_jobs j
  JOIN job_attempts a ON a.job_seq = j.seq AND a.number = j.attempt
  LEFT JOIN container_instances i ON i.id = a.instance_id
 WHERE j.id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:job_ids AS json)) AS value))
   AND j.state = 'running';

-- name: finish_jobs
-- The attempts that hold these tokens end, each as an object of the list says; a stale one changes nothing.
UPDATE container_jobs AS j
   SET state = e.state, attempts_used = e.attempts_used, crashes = e.crashes, token = NULL, lease_until = NULL,
       reason = e.reason, error = e.error, details = e.details, verdict = e.verdict,
       run_at = coalesce(e.run_at, j.run_at), size = coalesce(e.size, j.size), flow = coalesce(e.flow, j.flow),
       on_node = coalesce(e.on_node, j.on_node), finished_at = e.finished_at, progress = e.progress,
       stage = NULL, eta_seconds = NULL
  FROM json_to_recordset(CAST(:list AS json))
    AS e (job_seq bigint, token text, state text, attempts_used bigint, crashes bigint, reason text, error text,
          details text, verdict text, run_at bigint, size text, flow bigint, on_node text,
          finished_at bigint, progress double precision)
 WHERE j.seq = e.job_seq AND j.state = 'running' AND j.token = e.token;

-- name: set_spec
-- Without the secrets that nobody needs any more.
UPDATE container_jobs SET spec = :spec WHERE seq = :seq;

-- name: finish_attempts
-- Of the same list.
UPDATE job_attempts AS a
   SET finished_at = e.at, finished_tick = e.finished_tick, reason = e.reason, error = e.error, usage = e.usage,
       cost_nanodollars = e.cost_nanodollars
  FROM json_to_recordset(CAST(:list AS json))
    AS e (job_seq bigint, number bigint, at bigint, finished_tick bigint, reason text, error text, usage text,
          cost_nanodollars bigint)
 WHERE a.job_seq = e.job_seq AND a.number = e.number;

-- name: insert_artifact
INSERT INTO artifacts (sha256, size, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: insert_output
INSERT INTO job_outputs (job_seq, position, path, role, media_type, sha256, details) VALUES (?, ?, ?, ?, ?, ?, ?);

-- --- scheduled jobs

-- name: next_due
SELECT min(run_at) FROM container_jobs WHERE state = 'scheduled';

-- name: due_jobs
SELECT * FROM container_jobs WHERE state = 'scheduled' AND run_at <= :now ORDER BY run_at LIMIT :limit;

-- name: next_last_call
SELECT min(last_call_at) FROM container_jobs
 WHERE state = 'queued' AND is_off_peak = 1 AND last_call_at IS NOT NULL;

-- name: last_calls
SELECT * FROM container_jobs
 WHERE state = 'queued' AND is_off_peak = 1 AND last_call_at IS NOT NULL AND last_call_at <= :now
 ORDER BY last_call_at LIMIT :limit;

-- name: call_last
-- It goes at any price from now on, also when it is tried again. It is due from here: before, nobody owed it a start.
UPDATE container_jobs SET is_off_peak = 0, flow = :flow, run_at = :due_at
 WHERE seq = :seq AND state = 'queued' AND is_off_peak = 1;

-- name: last_retry
-- Only a retry is scheduled with an attempt behind it. There may be many more that wait for a date of their own.
SELECT max(run_at) FROM container_jobs
 WHERE state = 'scheduled' AND attempt > 0;

-- name: bring_retries_forward
UPDATE container_jobs SET run_at = :now
 WHERE state = 'scheduled' AND attempt > 0 AND run_at > :latest;

-- name: queue_job
-- A waiting job, or a dead letter, joins a line.
UPDATE container_jobs
   SET state = 'queued', flow = :flow, held_because = NULL, finished_at = NULL
 WHERE seq = :seq AND (state = 'scheduled' OR state = 'held' OR state = 'dead');

-- name: start_ttl
-- Nothing holds it any more: from now on, or from its time on, it may wait for so long.
UPDATE container_jobs
   SET expires_at = least(deadline, greatest(:now, coalesce(run_at, 0)) + ttl), ttl = NULL
 WHERE seq = :seq AND ttl IS NOT NULL;

-- name: reschedule_job
-- A held job that still has to wait for its time.
UPDATE container_jobs SET state = 'scheduled', held_because = NULL WHERE seq = :seq AND state = 'held';

-- name: renew_attempts
-- A dead letter starts afresh; what its attempts did stays. Without a deadline it waits for off-peak hours, if it was to.
UPDATE container_jobs
   SET attempts_used = 0, crashes = 0, reason = NULL, error = NULL, cancel_requested_at = NULL, expires_at = NULL,
       deadline = NULL, run_at = NULL,
       is_off_peak = CASE WHEN last_call_at IS NULL THEN is_off_peak ELSE 1 END, last_call_at = NULL
 WHERE seq = :seq AND state = 'dead';

-- name: set_wishes
-- Of a job that stands in no line.
UPDATE container_jobs SET on_node = :on_node WHERE seq = :seq AND state = 'held';

-- name: cancelled_with
-- What a job has taken down with it.
SELECT j.* FROM job_dependencies d JOIN container_jobs j ON j.seq = d.job_seq
 WHERE d.needs_seq = :seq AND d.on_failure <> 'run' AND j.state = 'cancelled'
   AND j.error::json ->> 'code' = 'dependency_failed'
 ORDER BY d.job_seq;

-- name: hold_cancelled
UPDATE container_jobs
   SET state = 'held', held_because = 'dependencies', reason = NULL, error = NULL, cancel_requested_at = NULL,
       finished_at = NULL, expires_at = NULL, deadline = NULL,
       is_off_peak = CASE WHEN last_call_at IS NULL THEN is_off_peak ELSE 1 END, last_call_at = NULL
 WHERE seq = :seq AND state = 'cancelled';

-- name: purge_dead
-- With its attempts, events, outputs and dependencies.
DELETE FROM container_jobs WHERE id = :job_id AND state = 'dead' RETURNING organisation, service;

-- name: hold_dead
UPDATE container_jobs SET state = 'held', held_because = 'dependencies', finished_at = NULL
 WHERE seq = :seq AND state = 'dead';

-- name: held_for
-- Somebody who still waits for a job, or may do so again.
SELECT w.id
  FROM container_jobs j JOIN job_dependencies d ON d.needs_seq = j.seq JOIN container_jobs w ON w.seq = d.job_seq
 WHERE j.id = :job_id AND (w.state = 'held' OR (w.state = 'dead' AND d.is_source = 1)) LIMIT 1;

-- name: job_by_seq
SELECT * FROM container_jobs WHERE seq = :seq;

-- name: next_expiry
SELECT min(expires_at) FROM container_jobs
 WHERE expires_at IS NOT NULL AND finished_at IS NULL AND token IS NULL;

-- name: expired_jobs
SELECT * FROM container_jobs
 WHERE expires_at <= :now AND expires_at IS NOT NULL AND finished_at IS NULL AND token IS NULL
 ORDER BY expires_at LIMIT :limit;

-- name: end_waiting
-- A job that never ran, or not again, ends.
UPDATE container_jobs
   SET state = :state, reason = :reason, error = coalesce(:error, error), finished_at = :now, held_because = NULL,
       cancel_requested_at = :cancel_requested_at
 WHERE seq = :seq AND (state = 'queued' OR state = 'scheduled' OR state = 'held')
RETURNING seq;

-- --- recurring schedules

-- name: insert_schedule
INSERT INTO job_schedules (name, service, cron, timezone, misfire, request, is_paused, created_at, next_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING name;

-- name: schedules
SELECT * FROM job_schedules ORDER BY name;

-- name: schedule
SELECT * FROM job_schedules WHERE name = :name;

-- name: next_firing
SELECT min(next_at) FROM job_schedules WHERE is_paused = 0;

-- name: due_schedules
SELECT * FROM job_schedules WHERE is_paused = 0 AND next_at <= :now ORDER BY next_at;

-- name: advance_schedule
-- Its time has been served. The guard lets one of several daemons through.
UPDATE job_schedules
   SET next_at = :next_at, last_at = coalesce(:last_at, last_at), last_error = :error
 WHERE name = :name AND next_at = :due_at AND is_paused = 0
RETURNING name;

-- name: note_schedule_error
-- Its time could not be served, and stays due.
UPDATE job_schedules SET last_error = :error WHERE name = :name AND next_at = :due_at;

-- name: coming_schedules
SELECT * FROM job_schedules WHERE is_paused = 0 AND next_at > :now ORDER BY next_at;

-- name: set_back_schedule
-- It comes before the time that was noted. The guard leaves one alone that has been served or paused meanwhile.
UPDATE job_schedules SET next_at = :next_at WHERE name = :name AND next_at = :due_at AND is_paused = 0
RETURNING name;

-- name: pause_schedule
-- No row: it is so already, and is left as it is.
UPDATE job_schedules SET is_paused = :is_paused, next_at = :next_at WHERE name = :name AND is_paused <> :is_paused
RETURNING name;

-- name: remove_schedule
DELETE FROM job_schedules WHERE name = :name RETURNING name;

-- --- dependencies

-- name: insert_dependency
INSERT INTO job_dependencies (job_seq, needs_seq, on_failure, is_source) VALUES (?, ?, ?, ?);

-- name: copy_need
-- A copy stands behind the job whose output it works on, and behind no other: that is all that it may have to wait for.
INSERT INTO job_dependencies (job_seq, needs_seq, on_failure, is_source)
SELECT :copy_seq, needs_seq, on_failure, is_source FROM job_dependencies
 WHERE job_seq = :seq AND needs_seq = :needs_seq;

-- name: copies
-- What a job has become beside itself.
SELECT seq, state, verdict FROM container_jobs WHERE fanned_from = :seq AND fanned_from IS NOT NULL ORDER BY seq;

-- name: copy_dependents
-- Who waits for a job waits for its copy as well.
INSERT INTO job_dependencies (job_seq, needs_seq, on_failure, is_source)
SELECT job_seq, :copy_seq, on_failure, is_source FROM job_dependencies WHERE needs_seq = :seq;

-- name: source_outputs
-- What a job is to work on: the outputs of those that it takes them from.
SELECT o.*, a.size
  FROM job_dependencies d JOIN job_outputs o ON o.job_seq = d.needs_seq JOIN artifacts a ON a.sha256 = o.sha256
 WHERE d.job_seq = :seq AND d.is_source = 1 ORDER BY d.needs_seq, o.position;

-- name: feed_job
UPDATE container_jobs SET inputs = :inputs, name = :name WHERE seq = :seq AND state = 'held' RETURNING *;

-- name: copy_job
-- A job like another, for another input.
INSERT INTO container_jobs (id, service, state, priority, organisation, name, spec, inputs, is_foreground, batch, key,
                            kind, size, slots, is_off_peak, last_call_at, is_spot_ok, on_node, output, held_because,
                            fanned_from, max_attempts, timeout_seconds, backoff_seconds, deadline, expires_at, ttl,
                            run_at, created_at)
SELECT :id, service, 'held', priority, organisation, :name, spec, :inputs, is_foreground, batch, key,
       kind, size, slots, is_off_peak, last_call_at, is_spot_ok, on_node, output, 'dependencies', seq, max_attempts,
       timeout_seconds, backoff_seconds, deadline, expires_at, ttl, run_at, :now
  FROM container_jobs WHERE seq = :seq
RETURNING *;

-- name: is_waited_for
-- Hardly any job is, and this is asked at every end: it costs half of what reading the jobs that wait does.
SELECT 1 FROM job_dependencies WHERE needs_seq = :seq LIMIT 1;

-- name: dependents
SELECT j.*, d.on_failure
  FROM job_dependencies d JOIN container_jobs j ON j.seq = d.job_seq
 WHERE d.needs_seq = :seq AND j.state = 'held' ORDER BY d.job_seq;

-- name: has_unmet
SELECT EXISTS (SELECT 1 FROM job_dependencies d JOIN container_jobs n ON n.seq = d.needs_seq
                WHERE d.job_seq = :seq
                  AND NOT (n.state = 'succeeded' AND coalesce(n.verdict, 'OK') = 'OK')
                  AND NOT (d.on_failure = 'run' AND n.state IN ('dead', 'cancelled', 'succeeded')));

-- name: failed_need
-- A job without whose success another one is not to run, and that has ended without it.
SELECT n.id, n.state FROM job_dependencies d JOIN container_jobs n ON n.seq = d.needs_seq
 WHERE d.job_seq = :seq
   AND (d.on_failure = 'cancel' AND n.state = 'dead' OR d.on_failure <> 'run' AND n.state = 'cancelled')
 LIMIT 1;

-- name: dependencies
SELECT n.id, n.state, d.on_failure, d.is_source
  FROM container_jobs j JOIN job_dependencies d ON d.job_seq = j.seq JOIN container_jobs n ON n.seq = d.needs_seq
 WHERE j.id = :job_id ORDER BY d.needs_seq;

-- --- sizes

-- name: size_hint
SELECT size FROM size_hints WHERE service = :service AND input = :input;

-- name: set_size_hint
INSERT INTO size_hints (service, input, size) VALUES (?, ?, ?)
    ON CONFLICT (service, input) DO UPDATE SET size = excluded.size;

-- --- cancellation

-- name: request_cancel
UPDATE container_jobs
   SET cancel_requested_at = :now
 WHERE id = :job_id AND state = 'running' AND cancel_requested_at IS NULL
RETURNING seq, attempt;

-- name: cancel_requested
SELECT token FROM container_jobs WHERE state = 'running' AND cancel_requested_at IS NOT NULL ORDER BY seq;

-- --- reading jobs

-- name: job
SELECT * FROM container_jobs WHERE id = :job_id;

-- name: running_jobs
SELECT * FROM container_jobs WHERE state = 'running' ORDER BY seq;

-- name: list_jobs
-- The newest first: walks back from the newest row and stops at the limit.
SELECT * FROM container_jobs
 WHERE seq < :before_seq
   AND (CAST(:services AS text) IS NULL
        OR service = ANY (ARRAY(SELECT json_array_elements_text(CAST(:services AS json)))))
   AND (CAST(:organisation AS text) IS NULL OR organisation = :organisation)
   AND (CAST(:batch AS text) IS NULL OR batch = :batch)
   AND created_at >= :since AND created_at < :until
 ORDER BY seq DESC LIMIT :limit;

-- name: list_jobs_in_state
SELECT * FROM container_jobs
 WHERE state = :state AND seq < :before_seq
   AND (CAST(:services AS text) IS NULL
        OR service = ANY (ARRAY(SELECT json_array_elements_text(CAST(:services AS json)))))
   AND (CAST(:organisation AS text) IS NULL OR organisation = :organisation)
   AND (CAST(:batch AS text) IS NULL OR batch = :batch)
   AND created_at >= :since AND created_at < :until
 ORDER BY seq DESC LIMIT :limit;

-- name: list_jobs_of_verdict
-- Of programs that did not end well.
SELECT * FROM container_jobs
 WHERE verdict = :verdict AND verdict <> 'OK' AND seq < :before_seq
   AND (CAST(:services AS text) IS NULL
        OR service = ANY (ARRAY(SELECT json_array_elements_text(CAST(:services AS json)))))
   AND (CAST(:organisation AS text) IS NULL OR organisation = :organisation)
   AND (CAST(:batch AS text) IS NULL OR batch = :batch)
   AND created_at >= :since AND created_at < :until
 ORDER BY seq DESC LIMIT :limit;

-- name: list_jobs_that_were_ok
-- Of programs that did: among all that has succeeded.
SELECT * FROM container_jobs
 WHERE state = 'succeeded' AND verdict = 'OK' AND seq < :before_seq
   AND (CAST(:services AS text) IS NULL
        OR service = ANY (ARRAY(SELECT json_array_elements_text(CAST(:services AS json)))))
   AND (CAST(:organisation AS text) IS NULL OR organisation = :organisation)
   AND (CAST(:batch AS text) IS NULL OR batch = :batch)
   AND created_at >= :since AND created_at < :until
 ORDER BY seq DESC LIMIT :limit;

-- name: oldest_jobs
-- The index of the states has the rows of each in their order; as of `heads`, the range of one state is on purpose.
SELECT * FROM container_jobs WHERE state BETWEEN :state AND :state ORDER BY state, seq LIMIT :limit;

-- name: job_ids
-- A range and not LIKE, so that the unique index serves it. Every character of an id sorts before '~'.
SELECT id FROM container_jobs
 WHERE id >= :prefix AND id < CAST(:prefix AS text) || '~'
   AND (CAST(:organisation AS text) IS NULL OR organisation = :organisation)
 ORDER BY id LIMIT :limit;

-- name: counts
SELECT service, state, CAST(sum(jobs) AS bigint) AS jobs FROM job_counts WHERE jobs > 0 GROUP BY service, state
 UNION ALL
SELECT service, 'queued', CAST(sum(queued) AS bigint) FROM job_flows WHERE queued > 0 GROUP BY service;

-- name: counts_of
-- Of one organisation, whose dashboards ask after each event.
SELECT service, state, jobs FROM job_counts WHERE organisation = :organisation AND jobs > 0
 UNION ALL
SELECT service, 'queued', CAST(sum(queued) AS bigint) FROM job_flows
 WHERE organisation = :organisation AND queued > 0 GROUP BY service;

-- name: place_in_flow
-- How many of its own line are before a job, counted up to the limit.
SELECT count(*) FROM (SELECT 1 FROM container_jobs
                       WHERE flow = :flow AND state = 'queued' AND seq < :seq LIMIT :limit) AS found;

-- name: flow_of
SELECT flow FROM container_jobs WHERE id = :job_id;

-- name: batch_counts
SELECT state, count(*) AS jobs FROM container_jobs
 WHERE batch = :batch AND batch <> '' AND (CAST(:organisation AS text) IS NULL OR organisation = :organisation)
 GROUP BY state;

-- name: batch_jobs
SELECT * FROM container_jobs WHERE batch = :batch AND batch <> '' AND state = :state AND seq > :after_seq
   AND (CAST(:organisation AS text) IS NULL OR organisation = :organisation)
 ORDER BY seq LIMIT :limit;

-- name: batches
-- Their names, one search for each.
WITH RECURSIVE names (batch) AS (
    SELECT min(batch) FROM container_jobs WHERE batch <> ''
     UNION ALL
    SELECT (SELECT min(batch) FROM container_jobs WHERE batch > names.batch AND batch <> '')
      FROM names WHERE names.batch IS NOT NULL
)
SELECT batch FROM names WHERE batch IS NOT NULL;

-- name: batches_of
-- The same of one organisation.
WITH RECURSIVE names (batch) AS (
    SELECT min(batch) FROM container_jobs WHERE organisation = :organisation AND batch <> ''
     UNION ALL
    SELECT (SELECT min(batch) FROM container_jobs
             WHERE organisation = :organisation AND batch > names.batch AND batch <> '')
      FROM names WHERE names.batch IS NOT NULL
)
SELECT batch FROM names WHERE batch IS NOT NULL;

-- name: attempts
-- What is known of the instance goes some time after its end, and of the node when nothing is known of the instance.
SELECT a.*, j.id AS job_id, i.node AS node, n.name AS node_name
  FROM container_jobs j JOIN job_attempts a ON a.job_seq = j.seq
  LEFT JOIN container_instances i ON i.id = a.instance_id
  LEFT JOIN nodes n ON n.id = i.node
 WHERE j.id = :job_id ORDER BY a.number;

-- name: last_nodes
-- The nodes of the last attempts of some jobs.
SELECT j.id, n.name
  FROM container_jobs j
  JOIN job_attempts a ON a.job_seq = j.seq AND a.number = j.attempt
  JOIN container_instances i ON i.id = a.instance_id
  JOIN nodes n ON n.id = i.node
 WHERE j.id IN (SELECT json_array_elements_text(CAST(:job_ids AS json)));

-- name: arrivals
-- A page of the jobs that have run to an end, back from the newest: when each could first have started, and for how long
-- its last attempt held a slot. It could start when it was submitted, at its time, or when the last of those had ended
-- that it waited for. Of one that was tried again the time has been overwritten, and one for the off-peak hours waited
-- for them: of these it is the first start that is known.
SELECT j.seq, j.service, j.size, j.organisation, j.created_at,
       CASE WHEN j.is_off_peak = 1 OR j.last_call_at IS NOT NULL THEN f.started_at
            ELSE least(f.started_at, greatest(j.created_at,
                       CASE WHEN j.attempt = 1 THEN coalesce(j.run_at, 0) ELSE 0 END,
                       coalesce((SELECT max(n.finished_at)
                                   FROM job_dependencies d JOIN container_jobs n ON n.seq = d.needs_seq
                                  WHERE d.job_seq = j.seq), 0)))
       END AS at,
       l.finished_at - l.started_at AS held
  FROM container_jobs j
  JOIN job_attempts f ON f.job_seq = j.seq AND f.number = 1
  JOIN job_attempts l ON l.job_seq = j.seq AND l.number = j.attempt
 WHERE j.seq < :before_seq AND l.finished_at IS NOT NULL
 ORDER BY j.seq DESC LIMIT :limit;

-- name: completed
-- The newest jobs of a service that have completed, and how long: among those submitted lately, because no index knows
-- the service, and one more would make every submission dearer. What came from the cache has no attempt.
SELECT j.service, j.kind, j.spec, j.inputs, a.usage, a.finished_tick - a.started_tick AS ticks
  FROM container_jobs j JOIN job_attempts a ON a.job_seq = j.seq AND a.number = j.attempt
 WHERE j.state = 'succeeded' AND j.seq > (SELECT max(seq) FROM container_jobs) - :lately AND j.service = :service
   AND a.reason = 'completed'
 ORDER BY j.seq DESC LIMIT :limit;

-- name: outputs
SELECT o.*, a.size
  FROM container_jobs j JOIN job_outputs o ON o.job_seq = j.seq JOIN artifacts a ON a.sha256 = o.sha256
 WHERE j.id = :job_id ORDER BY o.position;

-- name: details
SELECT details FROM container_jobs WHERE id = :job_id;

-- name: length_of_result
SELECT coalesce(length(j.details), 0)
       + (SELECT coalesce(sum(length(o.path) + length(o.details) + 100), 0) FROM job_outputs o WHERE o.job_seq = j.seq)
       + (SELECT count(*) * 300 FROM job_attempts a WHERE a.job_seq = j.seq)
  FROM container_jobs j WHERE j.id = :job_id;

-- --- reading events

-- name: events
SELECT e.id, j.id AS job_id, e.at, e.type, e.data
  FROM job_events e LEFT JOIN container_jobs j ON j.seq = e.job_seq
 WHERE e.id > :after ORDER BY e.id LIMIT :limit;

-- name: events_of_job
SELECT e.id, j.id AS job_id, e.at, e.type, e.data
  FROM container_jobs j JOIN job_events e ON e.job_seq = j.seq
 WHERE j.id = :job_id AND e.id > :after ORDER BY e.id LIMIT :limit;

-- name: events_of_jobs
-- One search for each job, then a sort of what is new: for those who follow a batch.
SELECT e.id, j.id AS job_id, e.at, e.type, e.data
  FROM json_array_elements_text(CAST(:job_ids AS json)) AS wanted
  JOIN container_jobs j ON j.id = wanted
  JOIN job_events e ON e.job_seq = j.seq
 WHERE e.id > :after ORDER BY e.id LIMIT :limit;

-- name: events_of_organisation
-- From the event to its job, and never the other way: those who follow are close behind the newest.
SELECT e.id, j.id AS job_id, e.at, e.type, e.data
  FROM job_events e JOIN container_jobs j ON j.seq = e.job_seq
 WHERE e.id > :after AND j.organisation = :organisation ORDER BY e.id LIMIT :limit;

-- name: last_event_id
SELECT coalesce(max(id), 0) FROM job_events;

-- --- retention

-- name: ended_jobs
-- One state's, the oldest first. The index that lists the jobs of a state serves this as well: an index over the time of
-- the end would cost every finish, and what was submitted first has, by and large, ended first.
SELECT seq, id, service, state, created_at, finished_at FROM container_jobs
 WHERE state = :state AND seq > :after ORDER BY seq LIMIT :limit;

-- name: needed_jobs
-- Those of some jobs that have to stay: another one that is not through came after it (held, or about to read what it
-- gave, or a dead letter that may be redriven).
SELECT j.seq
  FROM json_array_elements_text(CAST(:seqs AS json)) AS wanted JOIN container_jobs j ON j.seq = wanted::bigint
 WHERE EXISTS (SELECT 1 FROM job_dependencies d JOIN container_jobs w ON w.seq = d.job_seq
                WHERE d.needs_seq = j.seq AND w.state <> 'succeeded' AND w.state <> 'cancelled');

-- name: jobs_of_live_batches
-- Those of some jobs of whose batch another one has not ended.
SELECT j.seq
  FROM json_array_elements_text(CAST(:seqs AS json)) AS wanted JOIN container_jobs j ON j.seq = wanted::bigint
 WHERE EXISTS (SELECT 1 FROM container_jobs b
                WHERE b.batch = j.batch AND b.batch <> ''
                  AND b.state IN ('queued', 'running', 'scheduled', 'held'));

-- name: outputs_of_jobs
SELECT o.sha256
  FROM json_array_elements_text(CAST(:seqs AS json)) AS wanted JOIN job_outputs o ON o.job_seq = wanted::bigint;

-- name: remove_ended
-- With their attempts, events, outputs and dependencies.
DELETE FROM container_jobs
 WHERE seq = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(CAST(:seqs AS json)) AS value))
   AND (state = 'succeeded' OR state = 'cancelled' OR state = 'dead')
RETURNING seq, organisation, service, state;

-- name: forget_artifacts
DELETE FROM artifacts
 WHERE sha256 = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:names AS json)) AS value))
   AND NOT EXISTS (SELECT 1 FROM job_outputs o WHERE o.sha256 = artifacts.sha256);

-- name: holdings
SELECT seq, id, state, inputs FROM container_jobs WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: outputs_between
SELECT job_seq, sha256 FROM job_outputs WHERE job_seq > :after AND job_seq <= :last ORDER BY job_seq;

-- name: artifact_sizes
SELECT sha256, size FROM artifacts WHERE sha256 > :after ORDER BY sha256 LIMIT :limit;

-- name: known_jobs
SELECT j.id FROM json_array_elements_text(CAST(:ids AS json)) AS wanted JOIN container_jobs j ON j.id = wanted;

-- --- nodes

-- name: enter_node
-- A daemon starts: what was done under an epoch before is over. That it was drained stays.
INSERT INTO nodes (id, name, version, schema, engine, services, region, is_spot, price_factor, labels, has_gpu,
                   lease_seconds, is_foreground, state, epoch, beat, started_at, beat_at, cpus, memory_bytes,
                   free_cpus, free_memory_bytes, host, start_id, disk_free_bytes, engine_away_seconds)
VALUES (:id, :name, :version, :schema, :engine, :services, :region, :is_spot, :price_factor, :labels, :has_gpu,
        :lease_seconds, :is_foreground, 'up', 1, 0, :now, :now, :cpus, :memory_bytes, :free_cpus, :free_memory_bytes,
        :host, :start, :disk_free_bytes, :engine_away_seconds)
    ON CONFLICT (id) DO UPDATE
   SET name = excluded.name, version = excluded.version, schema = excluded.schema, engine = excluded.engine,
       services = excluded.services, region = excluded.region, is_spot = excluded.is_spot,
       price_factor = excluded.price_factor, labels = excluded.labels, has_gpu = excluded.has_gpu,
       lease_seconds = excluded.lease_seconds, is_foreground = excluded.is_foreground, state = 'up',
       epoch = nodes.epoch + 1, beat = 0, started_at = excluded.started_at, beat_at = excluded.beat_at,
       cpus = excluded.cpus, memory_bytes = excluded.memory_bytes, free_cpus = excluded.free_cpus,
       free_memory_bytes = excluded.free_memory_bytes, host = excluded.host,
       start_id = excluded.start_id,
       disk_free_bytes = excluded.disk_free_bytes, engine_away_seconds = excluded.engine_away_seconds, lost_at = NULL
RETURNING epoch;

-- name: beat
-- No row: its epoch is over.
UPDATE nodes
   SET beat = beat + 1, beat_at = :now, cpus = :cpus, memory_bytes = :memory_bytes, free_cpus = :free_cpus,
       free_memory_bytes = :free_memory_bytes, disk_free_bytes = :disk_free_bytes,
       engine_away_seconds = :engine_away_seconds
 WHERE id = :id AND epoch = :epoch AND state = 'up'
RETURNING beat;

-- name: time_there
-- The clock that all nodes have in common.
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint);

-- name: may_act
-- Whether a node acts under this epoch, and whether it is to take anything new.
SELECT is_drained FROM nodes WHERE id = :id AND epoch = :epoch AND state = 'up';

-- name: leave_node
-- A daemon has ended, and has left nothing behind; where it has, others take that over when its lease has run out.
UPDATE nodes SET state = 'down', beat_at = :now
 WHERE id = :id AND epoch = :epoch AND state = 'up'
   AND NOT EXISTS (SELECT 1 FROM container_instances i WHERE i.node = nodes.id AND i.stopped_at IS NULL)
RETURNING name, is_foreground;

-- name: end_epoch
-- Of all who have seen that its counter stands still, one gets a row.
UPDATE nodes SET state = 'down', epoch = epoch + 1, lost_at = :now
 WHERE id = :id AND epoch = :epoch AND beat = :beat AND state = 'up'
RETURNING name;

-- name: set_drained
UPDATE nodes SET is_drained = :is_drained WHERE id = :id AND is_drained <> :is_drained AND state <> 'removed'
RETURNING name;

-- name: remove_node
UPDATE nodes SET state = 'removed', is_drained = 0, lost_at = NULL, epoch = epoch + 1 WHERE id = :id AND state <> 'removed'
RETURNING name;

-- name: nodes
SELECT * FROM nodes ORDER BY name, id;

-- name: node
SELECT * FROM nodes WHERE id = :id;

-- name: running_on_node
-- One search for each job that runs; how many do is bounded by what instances take.
SELECT j.* FROM container_jobs j
  JOIN job_attempts a ON a.job_seq = j.seq AND a.number = j.attempt
  JOIN container_instances i ON i.id = a.instance_id
 WHERE j.state = 'running' AND i.node = :node;

-- name: pools_elsewhere
-- What the other nodes have of each pool, and how many of its slots are taken. What is to go is no help to anybody.
SELECT i.service, i.size, i.organisation, count(*) AS instances,
       CAST(sum(CASE WHEN i.state = 'ready' THEN i.slots ELSE 0 END) AS bigint) AS slots,
       CAST(sum(coalesce(taken.slots, 0)) AS bigint) AS taken
  FROM container_instances i
  LEFT JOIN (SELECT a.instance_id, sum(a.slots) AS slots
               FROM container_jobs j JOIN job_attempts a ON a.job_seq = j.seq AND a.number = j.attempt
              WHERE j.state = 'running' GROUP BY a.instance_id) AS taken ON taken.instance_id = i.id
 WHERE i.stopped_at IS NULL AND i.node <> :node AND i.state <> 'draining'
 GROUP BY i.service, i.size, i.organisation;

-- name: count_pool
SELECT count(*) FROM container_instances
 WHERE stopped_at IS NULL AND service = :service AND size = :size AND organisation = :organisation
   AND state <> 'draining';

-- --- instances

-- name: insert_instance
INSERT INTO container_instances (id, service, node, engine, image, slots, size, organisation, state, requested_cpus,
                                 requested_memory_bytes, granted_cpus, granted_memory_bytes, created_at, ready_at,
                                 stopped_at, note, instance_type, region, tariff, boot, created_tick, ready_tick,
                                 seen_tick, stopped_tick, paused_tick, paused_ticks, cost_nanodollars, models)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: instance
SELECT * FROM container_instances WHERE id = :instance_id;

-- name: life
SELECT service, instance_type, region, slots, tariff, created_at, created_tick FROM container_instances
 WHERE id = :instance_id;

-- name: set_instance
-- The first time of each counts, and an end is an end. Without a tick it ended when it was last seen.
UPDATE container_instances
   SET state = :state, note = coalesce(:note, note),
       models = CASE WHEN :state IN ('stopped', 'lost') THEN '{}' ELSE models END,
       ready_at = CASE WHEN :state = 'ready' THEN coalesce(ready_at, :now) ELSE ready_at END,
       ready_tick = CASE WHEN :state = 'ready' THEN coalesce(ready_tick, :tick, seen_tick) ELSE ready_tick END,
       seen_tick = greatest(seen_tick, :tick),
       stopped_at = CASE WHEN :state IN ('stopped', 'lost') THEN :now END,
       stopped_tick = CASE WHEN :state IN ('stopped', 'lost') THEN greatest(seen_tick, :tick) END
 WHERE id = :instance_id AND stopped_at IS NULL
RETURNING *;

-- name: set_models
UPDATE container_instances SET models = :models WHERE id = :instance_id AND stopped_at IS NULL;

-- name: note_seen
-- All that live since this boot of the machine, but those that are known to be gone.
UPDATE container_instances SET seen_tick = :tick
 WHERE stopped_at IS NULL AND node = :node AND boot = :boot AND seen_tick < :tick
   AND NOT (id = ANY (ARRAY(SELECT json_array_elements_text(CAST(:gone AS json)))));

-- name: pause_instance
UPDATE container_instances SET paused_tick = :tick, seen_tick = greatest(seen_tick, :tick)
 WHERE id = :instance_id AND paused_tick IS NULL AND stopped_at IS NULL;

-- name: end_pause
UPDATE container_instances
   SET paused_ticks = paused_ticks + :tick - paused_tick, paused_tick = NULL,
       seen_tick = CASE WHEN stopped_at IS NULL THEN greatest(seen_tick, :tick) ELSE seen_tick END
 WHERE id = :instance_id AND paused_tick IS NOT NULL;

-- name: set_instance_cost
UPDATE container_instances SET cost_nanodollars = :cost_nanodollars WHERE id = :instance_id;

-- name: active_instances
SELECT * FROM container_instances
 WHERE stopped_at IS NULL AND (CAST(:organisation AS text) IS NULL OR organisation = :organisation)
   AND (CAST(:node AS text) IS NULL OR node = :node)
 ORDER BY created_at, ordinal;

-- name: all_instances
SELECT * FROM (
    SELECT * FROM container_instances
     WHERE (CAST(:organisation AS text) IS NULL OR organisation = :organisation)
       AND (CAST(:node AS text) IS NULL OR node = :node)
     ORDER BY created_at DESC, ordinal DESC LIMIT CAST(:limit AS bigint)
) AS newest ORDER BY created_at, ordinal;

-- --- costs

-- name: bill
-- What decides the bill of an attempt; no row where there is no record of its instance.
SELECT a.instance_id, a.started_tick, a.slots, i.seen_tick, i.stopped_tick
  FROM job_attempts a JOIN container_instances i ON i.id = a.instance_id
 WHERE a.job_seq = :job_seq AND a.number = :number;

-- name: note_used
-- No end of an attempt is later than when its instance was last seen.
UPDATE container_instances SET seen_tick = :tick WHERE id = :instance_id;

-- name: book
INSERT INTO container_costs AS booked (organisation, hour, service, instance_type, region, batch, line, ticks,
                                       nanodollars, attempts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (organisation, hour, service, instance_type, region, batch, line)
    DO UPDATE SET ticks = booked.ticks + excluded.ticks, nanodollars = booked.nanodollars + excluded.nanodollars,
                  attempts = booked.attempts + excluded.attempts;

-- name: spent_by_organisation
SELECT CAST(coalesce(sum(nanodollars), 0) AS bigint) FROM container_costs
 WHERE organisation = :organisation AND hour >= :since AND (CAST(:service AS text) IS NULL OR service = :service)
   AND (line = 'work' OR line = 'failed');

-- name: spent_on_instances
SELECT CAST(coalesce(sum(nanodollars), 0) AS bigint) FROM container_costs
 WHERE organisation = '' AND hour >= :since AND (CAST(:service AS text) IS NULL OR service = :service)
   AND line = 'instance';

-- name: first_booked_of_organisation
-- The first hour of which anything is known.
SELECT hour FROM container_costs
 WHERE organisation = :organisation AND (CAST(:service AS text) IS NULL OR service = :service)
   AND (line = 'work' OR line = 'failed')
 ORDER BY hour LIMIT 1;

-- name: first_booked_of_instances
SELECT hour FROM container_costs
 WHERE organisation = '' AND (CAST(:service AS text) IS NULL OR service = :service) AND line = 'instance'
 ORDER BY hour LIMIT 1;

-- name: ledger
-- One search for each organisation, and one for the instances.
WITH RECURSIVE names (organisation) AS (
    SELECT min(organisation) FROM container_costs
     UNION ALL
    SELECT (SELECT min(organisation) FROM container_costs WHERE organisation > names.organisation)
      FROM names WHERE names.organisation IS NOT NULL
)
SELECT c.* FROM names JOIN container_costs c ON c.organisation = names.organisation
 WHERE c.hour >= :since AND c.hour < :until
 ORDER BY c.organisation, c.hour, c.service, c.instance_type, c.region, c.batch, c.line
 LIMIT CAST(:limit AS bigint);

-- name: ledger_of
SELECT * FROM container_costs WHERE organisation = :organisation AND hour >= :since AND hour < :until
 ORDER BY hour, service, instance_type, region, batch, line
 LIMIT CAST(:limit AS bigint);

-- name: cost_totals
SELECT service, line, CAST(sum(nanodollars) AS bigint) AS nanodollars, CAST(sum(attempts) AS bigint) AS attempts
  FROM container_costs
 GROUP BY service, line ORDER BY service, line;

-- name: live_attempts
SELECT i.*, a.started_tick, a.slots AS taken, j.organisation AS payer, j.batch
  FROM container_jobs j
  JOIN job_attempts a ON a.job_seq = j.seq AND a.number = j.attempt
  JOIN container_instances i ON i.id = a.instance_id
 WHERE j.state = 'running';

-- --- the database itself

-- name: state_id
SELECT value FROM meta WHERE name = 'state_id';

-- name: readable_by
-- The newest step that a program has to know to go on, see steps.py.
SELECT value FROM meta WHERE name = 'readable_by';

-- name: artifacts_at
SELECT value FROM meta WHERE name = 'artifacts_at';

-- name: note_artifacts_at
INSERT INTO meta (name, value) VALUES ('artifacts_at', :place)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: known_time
-- When nobody has noted one, the newest event's.
SELECT coalesce(
    (SELECT CAST(value AS bigint) FROM meta WHERE name = 'known_time'),
    (SELECT at FROM job_events WHERE id = (SELECT max(id) FROM job_events)));

-- name: note_time
INSERT INTO meta (name, value) VALUES ('known_time', :now) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: miscounted
-- Where job_counts, or the lines, and the jobs disagree. Reads every job.
SELECT service, state, organisation FROM (
    SELECT organisation, service, state, -jobs AS jobs FROM job_counts
    UNION ALL
    SELECT organisation, service, 'queued', -queued FROM job_flows
    UNION ALL
    SELECT organisation, service, state, count(*) FROM container_jobs GROUP BY organisation, service, state
) AS counted GROUP BY organisation, service, state HAVING sum(jobs) <> 0;

-- name: misplaced
-- Lines whose length is not what is written of it. Reads every job.
SELECT flow FROM (
    SELECT id AS flow, -queued AS jobs FROM job_flows
    UNION ALL
    SELECT flow, count(*) FROM container_jobs WHERE state = 'queued' GROUP BY flow
) AS counted GROUP BY flow HAVING sum(jobs) <> 0;

-- --- observations

-- name: insert_sample
INSERT INTO pool_samples (at, service, size, organisation, node, waiting, running, starting, ready, paused, wanted,
                          wait_seconds, demand, cpu, memory, most_waiting, most_instances)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_measurement
INSERT INTO container_metrics (at, service, size, organisation, name, seconds, count) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: insert_scaling_event
INSERT INTO container_scaling_events (at, service, size, organisation, node, change, instance_id, was, wanted, rule,
                                      why)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: set_last_decision
INSERT INTO pool_decisions (service, size, organisation, node, at, explanation) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (service, size, organisation, node) DO UPDATE SET at = excluded.at, explanation = excluded.explanation;

-- name: last_decisions
-- Of several about one pool the newest last.
SELECT * FROM pool_decisions ORDER BY service, size, organisation, at;

-- name: forget_pool
-- Of an organisation; what has changed about it stays for as long as all changes do.
DELETE FROM pool_decisions WHERE service = ? AND size = ? AND organisation = ? AND node = ?;

-- name: forget_decisions_of
-- Of a node that is removed.
DELETE FROM pool_decisions WHERE node = :node;

-- name: forget_decisions
-- Of organisations' pools, in case nobody was there to forget them one by one.
DELETE FROM pool_decisions WHERE organisation <> '' AND at < :before;

-- name: samples_since
SELECT * FROM pool_samples WHERE at >= :since ORDER BY at LIMIT CAST(:limit AS bigint);

-- name: measurements_of
-- The newest first.
SELECT * FROM container_metrics WHERE service = :service AND name = :name ORDER BY at DESC LIMIT :limit;

-- name: scaling_events
SELECT * FROM container_scaling_events WHERE id < :before_id ORDER BY id DESC LIMIT :limit;

-- name: scaling_events_of
SELECT * FROM container_scaling_events WHERE service = :service AND id < :before_id ORDER BY id DESC LIMIT :limit;

-- name: forget_samples
DELETE FROM pool_samples WHERE at < :before;

-- name: forget_measurements
DELETE FROM container_metrics WHERE at < :before;

-- name: forget_scaling_events
DELETE FROM container_scaling_events WHERE at < :before;

-- name: add_came
INSERT INTO job_arrivals AS known (service, "interval", jobs, ended, seconds) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (service, "interval") DO UPDATE
   SET jobs = known.jobs + excluded.jobs, ended = known.ended + excluded.ended,
       seconds = known.seconds + excluded.seconds;

-- name: came
SELECT * FROM job_arrivals WHERE service = :service AND "interval" >= :since ORDER BY "interval";

-- name: forget_came
DELETE FROM job_arrivals WHERE "interval" < :before;

-- name: set_forecast
INSERT INTO forecasts (service, at, instances, is_in_force, history_days, error, naive_error, flat_error, why)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (service) DO UPDATE
   SET at = excluded.at, instances = excluded.instances, is_in_force = excluded.is_in_force,
       history_days = excluded.history_days, error = excluded.error, naive_error = excluded.naive_error,
       flat_error = excluded.flat_error, why = excluded.why;

-- name: forecasts
SELECT * FROM forecasts ORDER BY service;

-- name: set_warm
INSERT INTO warm_requests (service, organisation, instances, until) VALUES (?, ?, ?, ?)
    ON CONFLICT (service, organisation) DO UPDATE SET instances = excluded.instances, until = excluded.until;

-- name: remove_warm
DELETE FROM warm_requests WHERE service = :service AND organisation = :organisation RETURNING service;

-- name: forget_warm
DELETE FROM warm_requests WHERE until < :before;

-- name: warm_requests
SELECT * FROM warm_requests ORDER BY service, organisation;

-- --- budgets

-- name: set_budget
INSERT INTO budgets (organisation, service, period, nanodollars, set_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (organisation, service, period)
    DO UPDATE SET nanodollars = excluded.nanodollars, set_at = excluded.set_at;

-- name: remove_budget
DELETE FROM budgets WHERE organisation = :organisation AND service = :service AND period = :period RETURNING period;

-- name: budgets
SELECT * FROM budgets ORDER BY organisation, service, period;

-- name: threshold
SELECT 1 FROM budget_thresholds
 WHERE organisation = ? AND service = ? AND period = ? AND began_at = ? AND percent = ? AND nanodollars = ?;

-- name: note_threshold
-- A row comes back to the first who notes it.
INSERT INTO budget_thresholds (organisation, service, period, began_at, percent, nanodollars)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING percent;

-- name: forget_thresholds
DELETE FROM budget_thresholds WHERE began_at < :before;

-- name: forget_events
-- Those of jobs go with their jobs.
DELETE FROM job_events WHERE job_seq IS NULL AND at < :before;

-- name: waiting_jobs
SELECT organisation, service, batch, CAST(sum(queued) AS bigint) AS jobs FROM job_flows WHERE queued > 0
 GROUP BY organisation, service, batch;

-- --- alerts

-- name: alerts
SELECT * FROM alerts ORDER BY rule;

-- name: set_alert
INSERT INTO alerts (rule, broken_since, firing_since, told_at, resolved_at, about, silenced_until, silenced_because,
                    silenced_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (rule) DO UPDATE
   SET broken_since = excluded.broken_since, firing_since = excluded.firing_since, told_at = excluded.told_at,
       resolved_at = excluded.resolved_at, about = excluded.about, silenced_until = excluded.silenced_until,
       silenced_because = excluded.silenced_because, silenced_by = excluded.silenced_by;

-- name: dead_since
SELECT count(*) FROM container_jobs WHERE state = 'dead' AND finished_at >= :since;

-- name: lost_instances
SELECT service FROM container_instances WHERE stopped_at >= :since AND state = 'lost';

-- name: cost_by_line
-- One search for each organisation, and one for the instances.
WITH RECURSIVE names (organisation) AS (
    SELECT min(organisation) FROM container_costs
     UNION ALL
    SELECT (SELECT min(organisation) FROM container_costs WHERE organisation > names.organisation)
      FROM names WHERE names.organisation IS NOT NULL
)
SELECT c.line, CAST(sum(c.nanodollars) AS bigint) AS nanodollars
  FROM names JOIN container_costs c ON c.organisation = names.organisation
 WHERE c.hour >= :since GROUP BY c.line;

-- --- organisations, members, tokens

-- name: insert_organisation
INSERT INTO organisations (name, created_at) VALUES (:name, :now) ON CONFLICT DO NOTHING RETURNING name;

-- name: organisations
SELECT * FROM organisations ORDER BY name;

-- name: organisation
SELECT * FROM organisations WHERE name = :name;

-- name: set_quota
-- When the bytes get their first limit, they are counted: of all its jobs, once.
UPDATE organisations
   SET most_queued = :queued, most_running = :running, most_bytes = :bytes,
       bytes = CASE WHEN CAST(:bytes AS bigint) IS NULL THEN NULL WHEN bytes IS NOT NULL THEN bytes ELSE
               (SELECT coalesce(sum(bytes_of(j.inputs)), 0) FROM container_jobs j WHERE j.organisation = :name)
             + (SELECT coalesce(sum(a.size), 0)
                  FROM container_jobs j JOIN job_outputs o ON o.job_seq = j.seq JOIN artifacts a ON a.sha256 = o.sha256
                 WHERE j.organisation = :name) END
 WHERE name = :name RETURNING name;

-- name: running_quotas
-- Whose jobs may not all run at once, and how many do.
SELECT o.name, o.most_running, count(j.seq) AS running
  FROM organisations o LEFT JOIN container_jobs j ON j.state = 'running' AND j.organisation = o.name
 WHERE o.most_running IS NOT NULL GROUP BY o.name, o.most_running;

-- name: queued_of_organisation
SELECT CAST(coalesce(sum(queued), 0) AS bigint) FROM job_flows WHERE organisation = :organisation AND queued > 0;

-- name: waiting_of_organisation
-- Those that are in no line yet, counted up to the limit.
SELECT count(*) FROM (SELECT 1 FROM container_jobs
                       WHERE state = :state AND organisation = :organisation LIMIT :limit) AS found;

-- name: remove_organisation
DELETE FROM organisations WHERE name = :name RETURNING name;

-- name: set_member
INSERT INTO organisation_members (organisation, member, role, added_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (organisation, member) DO UPDATE SET role = excluded.role;

-- name: remove_member
DELETE FROM organisation_members WHERE organisation = :organisation AND member = :member RETURNING member;

-- name: members
SELECT * FROM organisation_members WHERE organisation = :organisation ORDER BY member;

-- name: member
SELECT * FROM organisation_members WHERE organisation = :organisation AND member = :member;

-- name: insert_token
INSERT INTO api_tokens (id, name, organisation, role, areas, member, digest, created_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: tokens
SELECT * FROM api_tokens WHERE CAST(:organisation AS text) IS NULL OR organisation = :organisation ORDER BY created_at;

-- name: token
SELECT * FROM api_tokens WHERE id = :token_id;

-- name: has_tokens
SELECT EXISTS (SELECT 1 FROM api_tokens WHERE id > '');

-- name: revoke_token
UPDATE api_tokens SET revoked_at = :now WHERE id = :token_id AND revoked_at IS NULL RETURNING id;

-- name: revoke_tokens_of
UPDATE api_tokens SET revoked_at = :now WHERE organisation = :organisation AND revoked_at IS NULL;

-- name: note_token_used
UPDATE api_tokens SET last_used_at = :now WHERE id = :token_id;

-- --- audit log

-- name: insert_audit
INSERT INTO audit_log (at, actor, organisation, action, target, data) VALUES (?, ?, ?, ?, ?, ?);

-- name: audit_log
SELECT * FROM audit_log WHERE id < :before_id ORDER BY id DESC LIMIT :limit;

-- name: audit_log_of
SELECT * FROM audit_log WHERE organisation = :organisation AND id < :before_id ORDER BY id DESC LIMIT :limit;

-- --- webhooks

-- name: tell_webhooks
-- A trigger, so that what is told is written in the transaction of what has happened, whoever writes that. It is there
-- while somebody wants to be told: even one that does nothing makes each event dearer by half. Whoever opens a database
-- in which another text stands, from before an upgrade, puts this one there.
-- 259,200,000,000 microseconds are three days, the TRIED_FOR of domain/webhooks.py: a trigger has no parameters. An event
-- of no job is about the rule of its alert, or else about its type. No organisation is told which nodes there are.
-- The second statement: the last of a batch has ended; the row of its job is changed before its event is written.
CREATE OR REPLACE FUNCTION webhooks_of_an_event() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    about json := NEW.data::json;
BEGIN
    INSERT INTO webhook_deliveries (webhook_id, message_id, type, subject, data, at, until_at, next_at)
    SELECT w.id, 'msg_' || left(replace(gen_random_uuid()::text, '-', ''), 24), t.type,
           coalesce(j.id, about ->> 'rule', NEW.type),
           CASE WHEN j.seq IS NULL THEN NEW.data
                ELSE json_build_object('jobId', j.id, 'name', j.name, 'service', j.service,
                                       'organisation', j.organisation, 'batch', nullif(j.batch, ''), 'state', j.state,
                                       'attempt', j.attempt, 'eventId', NEW.id, 'details',
                                       CASE WHEN w.organisation = '' THEN about
                                            ELSE (about::jsonb - 'node')::json END)::text END,
           NEW.at, NEW.at + 259200000000,
           CASE WHEN NOT EXISTS (SELECT 1 FROM webhook_deliveries d
                                  WHERE d.webhook_id = w.id AND d.state = 'pending'
                                    AND d.subject = coalesce(j.id, about ->> 'rule', NEW.type)) THEN NEW.at END
      FROM webhook_types t CROSS JOIN webhook_endpoints w LEFT JOIN container_jobs j ON j.seq = NEW.job_seq
     WHERE t.event = NEW.type AND w.disabled_at IS NULL
       AND (w.types = '' OR position(' ' || t.type || ' ' IN w.types) > 0)
       AND (w.organisation = '' OR w.organisation = coalesce(j.organisation, about ->> 'organisation', ''))
       AND (w.services = '' OR coalesce(j.service, about ->> 'service') IS NULL
            OR position(' ' || coalesce(j.service, about ->> 'service') || ' ' IN w.services) > 0);

    IF NEW.type = 'succeeded' OR NEW.type = 'cancelled' OR NEW.type = 'dead' THEN
        INSERT INTO webhook_deliveries (webhook_id, message_id, type, subject, data, at, until_at, next_at)
        SELECT w.id, 'msg_' || left(replace(gen_random_uuid()::text, '-', ''), 24), 'batch.finished',
               'batch ' || j.batch,
               json_build_object('batch', j.batch, 'organisation', j.organisation, 'lastJobId', j.id,
                                 'eventId', NEW.id, 'jobs',
                                 (SELECT json_object_agg(state, jobs)
                                    FROM (SELECT b.state, count(*) AS jobs FROM container_jobs b
                                           WHERE b.batch = j.batch AND b.batch <> ''
                                             AND b.organisation = j.organisation
                                           GROUP BY b.state) AS counted))::text,
               NEW.at, NEW.at + 259200000000,
               CASE WHEN NOT EXISTS (SELECT 1 FROM webhook_deliveries d
                                      WHERE d.webhook_id = w.id AND d.state = 'pending'
                                        AND d.subject = 'batch ' || j.batch) THEN NEW.at END
          FROM container_jobs j CROSS JOIN webhook_endpoints w
         WHERE j.seq = NEW.job_seq AND j.batch <> '' AND w.disabled_at IS NULL
           AND (w.types = '' OR position(' batch.finished ' IN w.types) > 0)
           AND (w.organisation = '' OR w.organisation = j.organisation)
           AND NOT EXISTS (SELECT 1 FROM container_jobs b
                            WHERE b.batch = j.batch AND b.batch <> '' AND b.organisation = j.organisation
                              AND b.state IN ('queued', 'running', 'scheduled', 'held'))
           AND (w.services = ''
                OR EXISTS (SELECT 1 FROM container_jobs b
                            WHERE b.batch = j.batch AND b.batch <> '' AND b.organisation = j.organisation
                              AND position(' ' || b.service || ' ' IN w.services) > 0));
    END IF;
    RETURN NULL;
END $body$;
CREATE TRIGGER webhooks_of_an_event AFTER INSERT ON job_events
    FOR EACH ROW EXECUTE FUNCTION webhooks_of_an_event();

-- name: tell_no_webhooks
DROP TRIGGER IF EXISTS webhooks_of_an_event ON job_events;

-- name: how_webhooks_are_told
SELECT p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
 WHERE t.tgname = 'webhooks_of_an_event' AND t.tgrelid = 'job_events'::regclass;

-- name: is_anybody_told
SELECT EXISTS (SELECT 1 FROM webhook_endpoints WHERE disabled_at IS NULL);

-- name: insert_webhook
-- No row comes back when the organisation has one of that name.
INSERT INTO webhook_endpoints (id, name, organisation, url, types, services, secret, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (organisation, name) DO NOTHING RETURNING id;

-- name: webhooks
SELECT * FROM webhook_endpoints WHERE CAST(:organisation AS text) IS NULL OR organisation = :organisation
 ORDER BY created_at, id;

-- name: webhook
SELECT * FROM webhook_endpoints WHERE id = :id;

-- name: rotate_webhook
UPDATE webhook_endpoints
   SET old_secret = CASE WHEN CAST(:until AS bigint) > :now THEN secret END,
       old_secret_until = CASE WHEN CAST(:until AS bigint) > :now THEN :until END,
       secret = :secret
 WHERE id = :id RETURNING id;

-- name: enable_webhook
-- It begins afresh: whoever enables it believes that it answers.
UPDATE webhook_endpoints SET disabled_at = NULL, disabled_because = NULL, failures = 0, rests_until = NULL, missed = 0
 WHERE id = :id AND disabled_at IS NOT NULL RETURNING id;

-- name: disable_webhook
UPDATE webhook_endpoints SET disabled_at = :now, disabled_because = :why
 WHERE id = :id AND disabled_at IS NULL RETURNING id;

-- name: remove_webhook
-- With its deliveries.
DELETE FROM webhook_endpoints WHERE id = :id RETURNING id;

-- name: remove_webhooks_of
DELETE FROM webhook_endpoints WHERE organisation = :organisation;

-- name: insert_delivery
INSERT INTO webhook_deliveries (webhook_id, message_id, type, subject, data, at, until_at, next_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *;

-- name: deliveries
-- The newest first.
SELECT * FROM webhook_deliveries WHERE webhook_id = :id AND id < :before_id ORDER BY id DESC LIMIT :limit;

-- name: deliveries_in_state
SELECT * FROM webhook_deliveries WHERE webhook_id = :id AND state = :state AND id < :before_id
 ORDER BY id DESC LIMIT :limit;

-- name: delivery
SELECT * FROM webhook_deliveries WHERE message_id = :message_id AND webhook_id = :id;

-- name: due_webhooks
-- Those that may be asked now, and for which there is something.
SELECT w.id FROM webhook_endpoints w
 WHERE w.disabled_at IS NULL AND (w.rests_until IS NULL OR w.rests_until <= :now)
   AND EXISTS (SELECT 1 FROM webhook_deliveries d
                WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.next_at <= :now);

-- name: due_deliveries
SELECT * FROM webhook_deliveries WHERE webhook_id = :id AND state = 'pending' AND next_at <= :now
 ORDER BY next_at LIMIT :limit;

-- name: note_try
UPDATE webhook_deliveries
   SET state = :state, next_at = :next_at, ended_at = CASE WHEN :state <> 'pending' THEN CAST(:now AS bigint) END,
       tries = tries + 1, tried_at = :now, status = :status, note = :note
 WHERE id = :id AND state = 'pending' RETURNING id;

-- name: next_of_subject
-- The first that waits is due now, unless another is on its way: one that is replayed may be older than that.
UPDATE webhook_deliveries SET next_at = :now
 WHERE state = 'pending' AND next_at IS NULL
   AND id = (SELECT min(d.id) FROM webhook_deliveries d
              WHERE d.webhook_id = :webhook_id AND d.subject = :subject AND d.state = 'pending')
   AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d
                    WHERE d.webhook_id = :webhook_id AND d.subject = :subject AND d.state = 'pending'
                      AND d.next_at IS NOT NULL);

-- name: note_success
-- A rest goes on: whoever has asked for one was sent this before it began.
UPDATE webhook_endpoints SET failures = 0 WHERE id = :id AND failures > 0;

-- name: note_failure
-- Several are under way: the longest rest counts, and what fails together is one failure.
UPDATE webhook_endpoints
   SET failures = greatest(failures, :failures), rests_until = greatest(rests_until, :rests_until)
 WHERE id = :id;

-- name: wake_webhook
-- A person has asked for something: that is tried at once.
UPDATE webhook_endpoints SET rests_until = NULL WHERE id = :id AND rests_until IS NOT NULL;

-- name: replay_delivery
-- What has ended is sent once more, with the same id; for as long as a new one would be tried.
UPDATE webhook_deliveries
   SET state = 'pending', next_at = NULL, ended_at = NULL, tries = 0, status = NULL, note = NULL, until_at = :until
 WHERE message_id = :message_id AND webhook_id = :id AND state <> 'pending' RETURNING subject;

-- name: replay_failed
UPDATE webhook_deliveries
   SET state = 'pending', next_at = NULL, ended_at = NULL, tries = 0, status = NULL, note = NULL, until_at = :until
 WHERE webhook_id = :id AND state = 'failed' RETURNING subject;

-- name: bring_deliveries_forward
-- The clock was ahead when they got their time.
UPDATE webhook_deliveries SET next_at = :now WHERE state = 'pending' AND next_at > :latest;

-- name: end_long_rests
UPDATE webhook_endpoints SET rests_until = NULL WHERE rests_until > :latest;

-- name: late_deliveries
-- Those that are not tried any longer: their endpoint was disabled, or has rested for so long.
UPDATE webhook_deliveries
   SET state = 'failed', next_at = NULL, ended_at = :now, note = coalesce(note || '; ', '') || 'given up in the end'
 WHERE id = ANY (ARRAY(SELECT id FROM webhook_deliveries
                         WHERE state = 'pending' AND until_at < :now ORDER BY until_at LIMIT :limit))
RETURNING webhook_id, subject;

-- name: forget_deliveries
DELETE FROM webhook_deliveries
 WHERE id = ANY (ARRAY(SELECT id FROM webhook_deliveries WHERE ended_at < :before ORDER BY ended_at LIMIT :limit))
RETURNING id;
