/**
 * SQLite's schema, as migration steps. A released step is never changed.
 *
 * Times are integers of milliseconds, ids are text, and JSON is text. An event's words are in a
 * full-text table without content, which a trigger updates when events are deleted.
 *
 * @module
 */

/** The migration steps: step n creates version n + 1. */
export const SQLITE_STEPS: readonly string[] = [
  `
  CREATE TABLE organisations (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, slug TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE users (
    id TEXT PRIMARY KEY, email TEXT NOT NULL, email_folded TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL, password_hash TEXT NOT NULL, created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE memberships (
    id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users, role TEXT NOT NULL,
    org_id TEXT NOT NULL REFERENCES organisations, joined_at INTEGER NOT NULL,
    UNIQUE (user_id, org_id)
  ) STRICT;
  CREATE INDEX memberships_by_org ON memberships (org_id, joined_at);
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL REFERENCES users,
    kind TEXT NOT NULL, label TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX sessions_by_user ON sessions (user_id);
  CREATE INDEX sessions_by_end ON sessions (expires_at);
  CREATE TABLE projects (
    id TEXT PRIMARY KEY, org_id TEXT NOT NULL REFERENCES organisations, name TEXT NOT NULL,
    slug TEXT NOT NULL, platform TEXT, retention_days INTEGER NOT NULL DEFAULT 90,
    sample_rate REAL NOT NULL DEFAULT 1, created_at INTEGER NOT NULL,
    UNIQUE (org_id, slug)
  ) STRICT;
  CREATE TABLE api_keys (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL, label TEXT NOT NULL, prefix TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL, revoked_at INTEGER
  ) STRICT;
  CREATE INDEX api_keys_by_project ON api_keys (project_id);
  CREATE TABLE issues (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL, fingerprint TEXT NOT NULL, title TEXT NOT NULL,
    title_folded TEXT NOT NULL, culprit TEXT NOT NULL, level TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'unresolved', event_count INTEGER NOT NULL,
    first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, assigned_to TEXT,
    UNIQUE (project_id, fingerprint)
  ) STRICT;
  CREATE INDEX issues_by_project ON issues (project_id, last_seen, id);
  CREATE INDEX issues_by_status ON issues (project_id, status, last_seen, id);
  CREATE INDEX issues_archived ON issues (last_seen) WHERE status = 'archived';
  CREATE TABLE events (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, project_id TEXT NOT NULL, issue_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL, level TEXT NOT NULL, title TEXT NOT NULL, message TEXT NOT NULL,
    environment TEXT, release TEXT, tags TEXT NOT NULL, payload TEXT NOT NULL,
    event_at INTEGER NOT NULL, received_at INTEGER NOT NULL,
    UNIQUE (id, project_id)
  ) STRICT;
  CREATE INDEX events_by_project ON events (project_id, received_at, id, level);
  CREATE INDEX events_by_issue ON events (issue_id, received_at, id);
  CREATE VIRTUAL TABLE event_words USING fts5 (
    words, content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc Me' tokenchars '_'"
  );
  CREATE TRIGGER events_gone AFTER DELETE ON events BEGIN
    DELETE FROM event_words WHERE rowid = old.number;
  END;
  CREATE TABLE alert_rules (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, condition TEXT NOT NULL,
    action TEXT NOT NULL, enabled INTEGER NOT NULL DEFAULT 1, cooldown_minutes INTEGER NOT NULL,
    last_fired_at INTEGER, created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX alert_rules_by_project ON alert_rules (project_id);
  CREATE TABLE alerts (
    id TEXT PRIMARY KEY, rule_id TEXT NOT NULL, rule_name TEXT NOT NULL, project_id TEXT NOT NULL,
    issue_id TEXT, status TEXT NOT NULL, message TEXT NOT NULL, condition TEXT NOT NULL,
    triggered_at INTEGER NOT NULL, acknowledged_at INTEGER, resolved_at INTEGER
  ) STRICT;
  CREATE INDEX alerts_by_project ON alerts (project_id, triggered_at, id);
  CREATE INDEX alerts_by_rule ON alerts (rule_id);
  CREATE INDEX alerts_by_issue ON alerts (issue_id) WHERE issue_id IS NOT NULL;
  `,
  // Adds the role of operators, and assigns it to the first account.
  `
  ALTER TABLE users ADD COLUMN operator INTEGER NOT NULL DEFAULT 0;
  UPDATE users SET operator = 1 WHERE id = (SELECT id FROM users ORDER BY created_at, id LIMIT 1);
  `,
  // Adds the rules for removing secrets, per project. Null stands for the default rules.
  `ALTER TABLE projects ADD COLUMN scrub TEXT;`,
  // Adds the storage used by each project, which is updated when events are added or deleted, and
  // pending background deletions.
  `
  ALTER TABLE events ADD COLUMN bytes INTEGER;
  CREATE TABLE project_usage (
    project_id TEXT PRIMARY KEY, events INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  INSERT INTO project_usage SELECT project_id, count(*), coalesce(sum(octet_length(payload)), 0)
    FROM events GROUP BY project_id;
  CREATE TABLE purges (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, created_at INTEGER NOT NULL
  ) STRICT;
  `,
  // Adds cooldowns of alert rules per issue, and counts of suppressed alerts.
  `
  ALTER TABLE alerts ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0;
  DROP INDEX alerts_by_rule;
  CREATE INDEX alerts_by_rule ON alerts (rule_id, issue_id, triggered_at);
  `,
  // Adds invitations and password resets, the plain text of keys, scopes of tokens, and the
  // counters of all nodes.
  `
  CREATE TABLE invitations (
    id TEXT PRIMARY KEY, org_id TEXT NOT NULL REFERENCES organisations, email TEXT NOT NULL,
    email_folded TEXT NOT NULL, role TEXT NOT NULL, secret_hash TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, UNIQUE (org_id, email_folded)
  ) STRICT;
  CREATE TABLE password_resets (
    user_id TEXT PRIMARY KEY REFERENCES users, secret_hash TEXT NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL
  ) STRICT;
  ALTER TABLE api_keys ADD COLUMN secret TEXT;
  ALTER TABLE sessions ADD COLUMN scopes TEXT;
  CREATE TABLE node_totals (
    run TEXT PRIMARY KEY, counts TEXT NOT NULL, saved_at INTEGER NOT NULL
  ) STRICT;
  `,
  // Adds the fingerprints of merged issues, the activity of issues, and moves of events in
  // progress.
  `
  CREATE TABLE issue_aliases (
    project_id TEXT NOT NULL, fingerprint TEXT NOT NULL, issue_id TEXT NOT NULL,
    title TEXT NOT NULL, culprit TEXT NOT NULL, level TEXT NOT NULL, merged_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, fingerprint)
  ) STRICT;
  CREATE INDEX issue_aliases_by_issue ON issue_aliases (issue_id);
  CREATE TABLE issue_activity (
    id TEXT PRIMARY KEY, issue_id TEXT NOT NULL, kind TEXT NOT NULL, user_id TEXT,
    data TEXT NOT NULL, created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX issue_activity_by_issue ON issue_activity (issue_id, created_at, id);
  ALTER TABLE purges ADD COLUMN destination TEXT;
  ALTER TABLE purges ADD COLUMN fingerprints TEXT;
  `,
  // Adds releases, the users affected by an issue, and issues that are resolved in the next
  // release.
  `
  CREATE TABLE releases (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL, version TEXT NOT NULL,
    created_at INTEGER NOT NULL, UNIQUE (project_id, version)
  ) STRICT;
  CREATE INDEX releases_by_project ON releases (project_id, created_at, id);
  CREATE TABLE issue_users (
    issue_id TEXT NOT NULL, user_key TEXT NOT NULL, PRIMARY KEY (issue_id, user_key)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE events ADD COLUMN user_key TEXT;
  ALTER TABLE issues ADD COLUMN user_count INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE issues ADD COLUMN first_release TEXT;
  ALTER TABLE issues ADD COLUMN last_release TEXT;
  ALTER TABLE issues ADD COLUMN resolved_after TEXT;
  CREATE INDEX issues_by_first_release ON issues (project_id, first_release);
  CREATE INDEX issues_by_last_release ON issues (project_id, last_release, last_seen);
  `,
  // Adds source maps and minified files, and the chunks in which they are uploaded.
  `
  CREATE TABLE artifacts (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL, checksum TEXT NOT NULL, kind TEXT NOT NULL,
    debug_id TEXT, release TEXT, dist TEXT, url TEXT NOT NULL, map_url TEXT,
    content BLOB NOT NULL, bytes INTEGER NOT NULL, created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX artifacts_by_project ON artifacts (project_id, checksum, bytes);
  CREATE INDEX artifacts_by_debug_id ON artifacts (project_id, debug_id);
  CREATE INDEX artifacts_by_release ON artifacts (project_id, release, url);
  CREATE INDEX artifacts_by_time ON artifacts (project_id, created_at);
  CREATE TABLE upload_chunks (
    org_id TEXT NOT NULL, sha1 TEXT NOT NULL, content BLOB NOT NULL, bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL, PRIMARY KEY (org_id, sha1)
  ) STRICT;
  CREATE INDEX upload_chunks_by_time ON upload_chunks (created_at);
  `,
];
