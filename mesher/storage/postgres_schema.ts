/**
 * PostgreSQL's schema, as migration steps. A released step is never changed.
 *
 * ```
 * event_ids (id, project_id, received_at)     one row per stored event: detects repeated ids, and
 *    │                                        contains the day of an event
 *    └─▶ events, partitioned by received_at: events_20260131, one table per day (UTC)
 * ```
 *
 * A unique index of a partitioned table must contain the partition key, and a client may send an
 * event again on another day; the ids are therefore in a separate table. Retention drops whole
 * days.
 *
 * Times are bigints of milliseconds, as everywhere in Mesher: `to_timestamp(received_at / 1000.0)`.
 *
 * @module
 */

/** The migration steps: step n creates version n + 1. */
export const POSTGRES_STEPS: readonly string[] = [
  `
  CREATE TABLE organisations (
    id uuid PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, created_at bigint NOT NULL
  );
  CREATE TABLE users (
    id uuid PRIMARY KEY, email text NOT NULL, email_folded text NOT NULL UNIQUE,
    display_name text NOT NULL, password_hash text NOT NULL, created_at bigint NOT NULL
  );
  CREATE TABLE memberships (
    id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, role text NOT NULL,
    org_id uuid NOT NULL REFERENCES organisations, joined_at bigint NOT NULL,
    UNIQUE (user_id, org_id)
  );
  CREATE INDEX memberships_by_org ON memberships (org_id, joined_at);
  CREATE TABLE sessions (
    id uuid PRIMARY KEY, secret_hash text NOT NULL UNIQUE, user_id uuid NOT NULL REFERENCES users,
    kind text NOT NULL, label text NOT NULL, created_at bigint NOT NULL, expires_at bigint NOT NULL
  );
  CREATE INDEX sessions_by_user ON sessions (user_id);
  CREATE INDEX sessions_by_end ON sessions (expires_at);
  CREATE TABLE projects (
    id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, name text NOT NULL,
    slug text NOT NULL, platform text, retention_days integer NOT NULL DEFAULT 90,
    sample_rate double precision NOT NULL DEFAULT 1, created_at bigint NOT NULL,
    UNIQUE (org_id, slug)
  );
  CREATE TABLE api_keys (
    id uuid PRIMARY KEY, project_id uuid NOT NULL, label text NOT NULL, prefix text NOT NULL,
    secret_hash text NOT NULL UNIQUE, created_at bigint NOT NULL, revoked_at bigint
  );
  CREATE INDEX api_keys_by_project ON api_keys (project_id);
  CREATE TABLE issues (
    id uuid PRIMARY KEY, project_id uuid NOT NULL, fingerprint text NOT NULL, title text NOT NULL,
    title_folded text NOT NULL, culprit text NOT NULL, level text NOT NULL,
    status text NOT NULL DEFAULT 'unresolved', event_count bigint NOT NULL,
    first_seen bigint NOT NULL, last_seen bigint NOT NULL, assigned_to uuid,
    UNIQUE (project_id, fingerprint)
  ) WITH (fillfactor = 80);
  CREATE INDEX issues_by_project ON issues (project_id, last_seen, id);
  CREATE INDEX issues_by_status ON issues (project_id, status, last_seen, id);
  CREATE INDEX issues_archived ON issues (last_seen) WHERE status = 'archived';
  CREATE TABLE event_ids (
    id uuid NOT NULL, project_id uuid NOT NULL, received_at bigint NOT NULL,
    PRIMARY KEY (id, project_id)
  );
  CREATE TABLE events (
    id uuid NOT NULL, project_id uuid NOT NULL, issue_id uuid NOT NULL, fingerprint text NOT NULL,
    level text NOT NULL, title text NOT NULL, message text NOT NULL, environment text,
    release text, tags jsonb NOT NULL, payload json NOT NULL, words tsvector NOT NULL,
    event_at bigint NOT NULL, received_at bigint NOT NULL
  ) PARTITION BY RANGE (received_at);
  CREATE INDEX events_by_project ON events (project_id, received_at, id) INCLUDE (level);
  CREATE INDEX events_by_issue ON events (issue_id, received_at, id);
  CREATE INDEX events_by_tags ON events USING gin (tags jsonb_path_ops);
  CREATE INDEX events_by_words ON events USING gin (words);
  CREATE TABLE alert_rules (
    id uuid PRIMARY KEY, project_id uuid NOT NULL, name text NOT NULL, condition json NOT NULL,
    action json NOT NULL, enabled boolean NOT NULL DEFAULT TRUE, cooldown_minutes bigint NOT NULL,
    last_fired_at bigint, created_at bigint NOT NULL
  );
  CREATE INDEX alert_rules_by_project ON alert_rules (project_id) WHERE enabled;
  CREATE TABLE alerts (
    id uuid PRIMARY KEY, rule_id uuid NOT NULL, rule_name text NOT NULL, project_id uuid NOT NULL,
    issue_id uuid, status text NOT NULL, message text NOT NULL, condition json NOT NULL,
    triggered_at bigint NOT NULL, acknowledged_at bigint, resolved_at bigint
  );
  CREATE INDEX alerts_by_project ON alerts (project_id, triggered_at, id);
  CREATE INDEX alerts_by_rule ON alerts (rule_id);
  CREATE INDEX alerts_by_issue ON alerts (issue_id) WHERE issue_id IS NOT NULL;
  -- A server that was built without lz4 goes on with its own compression.
  DO $do$ BEGIN
    ALTER TABLE events ALTER COLUMN payload SET COMPRESSION lz4;
  EXCEPTION WHEN OTHERS THEN NULL;
  END $do$;
  `,
  // Adds the role of operators, and assigns it to the first account.
  `
  ALTER TABLE users ADD COLUMN operator boolean NOT NULL DEFAULT FALSE;
  UPDATE users SET operator = TRUE
    WHERE id = (SELECT id FROM users ORDER BY created_at, id LIMIT 1);
  `,
  // Adds the rules for removing secrets, per project. Null stands for the default rules.
  `ALTER TABLE projects ADD COLUMN scrub json;`,
  // Adds the storage used by each project, which is updated when events are added or deleted, and
  // pending background deletions. Tags are found by their marks, which are stored among the words.
  `
  ALTER TABLE events ADD COLUMN bytes integer;
  CREATE TABLE project_usage (
    project_id uuid PRIMARY KEY, events bigint NOT NULL, bytes bigint NOT NULL
  ) WITH (fillfactor = 50);
  INSERT INTO project_usage SELECT project_id, count(*), count(*) * 2048
    FROM events GROUP BY project_id;
  CREATE TABLE purges (
    id uuid PRIMARY KEY, kind text NOT NULL, target uuid NOT NULL, created_at bigint NOT NULL
  );
  `,
  // Adds cooldowns of alert rules per issue, and counts of suppressed alerts.
  `
  ALTER TABLE alerts ADD COLUMN suppressed bigint NOT NULL DEFAULT 0;
  DROP INDEX alerts_by_rule;
  CREATE INDEX alerts_by_rule ON alerts (rule_id, issue_id, triggered_at);
  `,
  // Adds invitations and password resets, the plain text of keys, scopes of tokens, and the
  // counters of all nodes.
  `
  CREATE TABLE invitations (
    id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, email text NOT NULL,
    email_folded text NOT NULL, role text NOT NULL, secret_hash text NOT NULL UNIQUE,
    created_at bigint NOT NULL, expires_at bigint NOT NULL, UNIQUE (org_id, email_folded)
  );
  CREATE TABLE password_resets (
    user_id uuid PRIMARY KEY REFERENCES users, secret_hash text NOT NULL UNIQUE,
    expires_at bigint NOT NULL
  );
  ALTER TABLE api_keys ADD COLUMN secret text;
  ALTER TABLE sessions ADD COLUMN scopes text;
  CREATE TABLE node_totals (
    run text PRIMARY KEY, counts json NOT NULL, saved_at bigint NOT NULL
  );
  `,
  // Adds the fingerprints of merged issues, the activity of issues, and moves of events in
  // progress.
  `
  CREATE TABLE issue_aliases (
    project_id uuid NOT NULL, fingerprint text NOT NULL, issue_id uuid NOT NULL,
    title text NOT NULL, culprit text NOT NULL, level text NOT NULL, merged_at bigint NOT NULL,
    PRIMARY KEY (project_id, fingerprint)
  );
  CREATE INDEX issue_aliases_by_issue ON issue_aliases (issue_id);
  CREATE TABLE issue_activity (
    id uuid PRIMARY KEY, issue_id uuid NOT NULL, kind text NOT NULL, user_id uuid,
    data json NOT NULL, created_at bigint NOT NULL
  );
  CREATE INDEX issue_activity_by_issue ON issue_activity (issue_id, created_at, id);
  ALTER TABLE purges ADD COLUMN destination uuid;
  ALTER TABLE purges ADD COLUMN fingerprints json;
  `,
  // Adds releases, the users affected by an issue, and issues that are resolved in the next
  // release.
  `
  CREATE TABLE releases (
    id uuid PRIMARY KEY, project_id uuid NOT NULL, version text NOT NULL,
    created_at bigint NOT NULL, UNIQUE (project_id, version)
  );
  CREATE INDEX releases_by_project ON releases (project_id, created_at, id);
  CREATE TABLE issue_users (
    issue_id uuid NOT NULL, user_key text NOT NULL, PRIMARY KEY (issue_id, user_key)
  );
  ALTER TABLE events ADD COLUMN user_key text;
  ALTER TABLE issues ADD COLUMN user_count bigint NOT NULL DEFAULT 0;
  ALTER TABLE issues ADD COLUMN first_release text;
  ALTER TABLE issues ADD COLUMN last_release text;
  ALTER TABLE issues ADD COLUMN resolved_after text;
  CREATE INDEX issues_by_first_release ON issues (project_id, first_release);
  CREATE INDEX issues_by_last_release ON issues (project_id, last_release, last_seen);
  `,
  // Adds source maps and minified files, and the chunks in which they are uploaded.
  `
  CREATE TABLE artifacts (
    id uuid PRIMARY KEY, project_id uuid NOT NULL, checksum text NOT NULL, kind text NOT NULL,
    debug_id uuid, release text, dist text, url text NOT NULL, map_url text,
    content bytea NOT NULL, bytes bigint NOT NULL, created_at bigint NOT NULL
  );
  CREATE INDEX artifacts_by_project ON artifacts (project_id, checksum, bytes);
  CREATE INDEX artifacts_by_debug_id ON artifacts (project_id, debug_id);
  CREATE INDEX artifacts_by_release ON artifacts (project_id, release, url);
  CREATE INDEX artifacts_by_time ON artifacts (project_id, created_at);
  CREATE TABLE upload_chunks (
    org_id uuid NOT NULL, sha1 text NOT NULL, content bytea NOT NULL, bytes bigint NOT NULL,
    created_at bigint NOT NULL, PRIMARY KEY (org_id, sha1)
  );
  CREATE INDEX upload_chunks_by_time ON upload_chunks (created_at);
  `,
  // Drops the index of tags, which no query reads: tags are found by their marks among the words.
  `DROP INDEX events_by_tags;`,
];
