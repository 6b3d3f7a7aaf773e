-- What Pitchey asks of SQLite, one named block for each question; store/queries.py reads them, store/sqlite.py calls
-- them. tests/integration/test_query_plans.py holds every block to an index.

-- --- submission

-- name: insert_job
INSERT INTO container_jobs (id, service, state, priority, organisation, name, spec, inputs, is_foreground,
                            max_attempts, timeout_seconds, run_at, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: last_seq
-- Of the insert just made on this connection. A batch is numbered without gaps: nobody else writes meanwhile.
SELECT last_insert_rowid();

-- name: count_jobs
INSERT INTO job_counts (service, state, jobs) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs;

-- name: insert_event
INSERT INTO job_events (job_seq, at, type, data) VALUES (?, ?, ?, ?);

-- --- claim

-- name: claim
-- One atomic statement: what it returns belongs to the instance, and to nobody else. The order of the rows is not
-- defined; the caller sorts them.
UPDATE container_jobs
   SET state = 'running', attempt = attempt + 1, token = id || '.' || (attempt + 1), lease_until = :lease_until,
       started_at = :now, reason = NULL, error = NULL, progress = NULL, stage = NULL, eta_seconds = NULL
 WHERE seq IN (SELECT seq FROM container_jobs
                WHERE state = 'queued' AND service = :service
                ORDER BY priority DESC, seq LIMIT :limit)
RETURNING *;

-- name: claim_foreground
-- The same for jobs that a `pitchey run` waits for.
UPDATE container_jobs
   SET state = 'running', attempt = attempt + 1, token = id || '.' || (attempt + 1), lease_until = :lease_until,
       started_at = :now, reason = NULL, error = NULL, progress = NULL, stage = NULL, eta_seconds = NULL
 WHERE seq IN (SELECT seq FROM container_jobs
                WHERE state = 'queued' AND is_foreground = 1 AND service = :service
                ORDER BY priority DESC, seq LIMIT :limit)
RETURNING *;

-- name: insert_attempt
INSERT INTO job_attempts (job_seq, number, instance_id, started_at) VALUES (?, ?, ?, ?);

-- name: is_work_waiting
SELECT EXISTS (SELECT 1 FROM container_jobs WHERE state = 'queued' AND service = :service);

-- name: is_foreground_work_waiting
SELECT EXISTS (SELECT 1 FROM container_jobs WHERE state = 'queued' AND is_foreground = 1 AND service = :service);

-- --- the live attempt; each repeats the guard: the job runs, and this token is the live one

-- name: accept_attempt
UPDATE job_attempts
   SET accepted_at = :now
 WHERE job_seq = (SELECT seq FROM container_jobs WHERE id = :job_id AND state = 'running' AND token = :token)
   AND number = :number AND accepted_at IS NULL
RETURNING job_seq;

-- name: note_progress
UPDATE container_jobs
   SET progress = :fraction, stage = :stage, eta_seconds = :eta_seconds
 WHERE id = :job_id AND state = 'running' AND token = :token
RETURNING seq;

-- name: renew_lease
UPDATE container_jobs
   SET lease_until = :lease_until
 WHERE id = :job_id AND state = 'running' AND token = :token;

-- name: finish_job
-- The attempt that holds :token ends; a stale token changes nothing and returns no row.
UPDATE container_jobs
   SET state = :state, attempts_used = :attempts_used, crashes = :crashes, token = NULL, lease_until = NULL,
       reason = :reason, error = :error, details = :details, run_at = coalesce(:run_at, run_at),
       finished_at = :finished_at, progress = :progress, stage = NULL, eta_seconds = NULL
 WHERE id = :job_id AND state = 'running' AND token = :token
RETURNING seq, attempt, service;

-- name: finish_attempt
UPDATE job_attempts
   SET finished_at = :now, reason = :reason, error = :error, usage = :usage, cost_nanodollars = :cost_nanodollars
 WHERE job_seq = :job_seq AND number = :number;

-- name: insert_artifact
INSERT INTO artifacts (sha256, size, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: insert_output
INSERT INTO job_outputs (job_seq, position, path, role, media_type, sha256, details) VALUES (?, ?, ?, ?, ?, ?, ?);

-- --- scheduled jobs

-- name: next_due
SELECT min(run_at) FROM container_jobs WHERE state = 'scheduled';

-- name: release_due
UPDATE container_jobs SET state = 'queued' WHERE state = 'scheduled' AND run_at <= :now
RETURNING seq, service;

-- --- cancellation

-- name: cancel_waiting
UPDATE container_jobs
   SET state = 'cancelled', reason = 'cancelled', finished_at = :now, cancel_requested_at = :now
 WHERE id = :job_id AND state IN ('scheduled', 'held', 'queued')
RETURNING seq;

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
   AND (:services IS NULL OR service IN (SELECT value FROM json_each(:services)))
   AND (:organisation IS NULL OR organisation = :organisation)
   AND created_at >= :since AND created_at < :until
 ORDER BY seq DESC LIMIT :limit;

-- name: list_jobs_in_state
SELECT * FROM container_jobs
 WHERE state = :state AND seq < :before_seq
   AND (:services IS NULL OR service IN (SELECT value FROM json_each(:services)))
   AND (:organisation IS NULL OR organisation = :organisation)
   AND created_at >= :since AND created_at < :until
 ORDER BY seq DESC LIMIT :limit;

-- name: job_ids
-- A range and not LIKE, so that the unique index serves it. Every character of an id sorts before '~'.
SELECT id FROM container_jobs WHERE id >= :prefix AND id < :prefix || '~' ORDER BY id LIMIT :limit;

-- name: counts
SELECT service, state, jobs FROM job_counts WHERE jobs > 0;

-- name: ahead_of
-- Higher priorities, and the older ones of the same; each counted up to the limit only.
SELECT (SELECT count(*) FROM (SELECT 1 FROM container_jobs
                               WHERE state = 'queued' AND service = :service AND priority > :priority LIMIT :limit))
     + (SELECT count(*) FROM (SELECT 1 FROM container_jobs
                               WHERE state = 'queued' AND service = :service AND priority = :priority AND seq < :seq
                               LIMIT :limit));

-- name: attempts
SELECT a.*, j.id AS job_id
  FROM container_jobs j JOIN job_attempts a ON a.job_seq = j.seq
 WHERE j.id = :job_id ORDER BY a.number;

-- name: outputs
SELECT o.*, a.size
  FROM container_jobs j JOIN job_outputs o ON o.job_seq = j.seq JOIN artifacts a ON a.sha256 = o.sha256
 WHERE j.id = :job_id ORDER BY o.position;

-- name: details
SELECT details FROM container_jobs WHERE id = :job_id;

-- --- reading events

-- name: events
SELECT e.id, j.id AS job_id, e.at, e.type, e.data
  FROM job_events e JOIN container_jobs j ON j.seq = e.job_seq
 WHERE e.id > :after ORDER BY e.id LIMIT :limit;

-- name: events_of_job
SELECT e.id, j.id AS job_id, e.at, e.type, e.data
  FROM container_jobs j JOIN job_events e ON e.job_seq = j.seq
 WHERE j.id = :job_id AND e.id > :after ORDER BY e.id LIMIT :limit;

-- name: events_of_jobs
-- One search for each job, then a sort of what is new: for those who follow a batch.
SELECT e.id, j.id AS job_id, e.at, e.type, e.data
  FROM json_each(:job_ids) wanted
  JOIN container_jobs j ON j.id = wanted.value
  JOIN job_events e ON e.job_seq = j.seq
 WHERE e.id > :after ORDER BY e.id LIMIT :limit;

-- name: last_event_id
SELECT coalesce(max(id), 0) FROM job_events;

-- --- instances

-- name: insert_instance
INSERT INTO container_instances (id, service, engine, image, slots, state, requested_cpus, requested_memory_bytes,
                                 granted_cpus, granted_memory_bytes, created_at, ready_at, stopped_at, note)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: set_instance
-- The first time of each counts.
UPDATE container_instances
   SET state = :state, note = coalesce(:note, note),
       ready_at = CASE WHEN :state = 'ready' THEN coalesce(ready_at, :now) ELSE ready_at END,
       stopped_at = CASE WHEN :state IN ('stopped', 'lost') THEN coalesce(stopped_at, :now) END
 WHERE id = :instance_id
RETURNING id;

-- name: active_instances
SELECT * FROM container_instances WHERE stopped_at IS NULL ORDER BY created_at, rowid;

-- name: all_instances
SELECT * FROM container_instances ORDER BY created_at, rowid;

-- --- the database itself

-- name: state_id
SELECT value FROM meta WHERE name = 'state_id';

-- name: miscounted
-- Where job_counts and the jobs disagree. Reads every job.
SELECT service, state FROM (
    SELECT service, state, -jobs AS jobs FROM job_counts
    UNION ALL
    SELECT service, state, count(*) FROM container_jobs GROUP BY service, state
) GROUP BY service, state HAVING sum(jobs) <> 0;
