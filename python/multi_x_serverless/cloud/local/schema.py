"""The form of the embedded cloud's database."""

from __future__ import annotations

APPLICATION_ID = 0x4D585331
"""Marks the file as ours: "MXS1" in SQLite's header field `application_id`."""

SCHEMA_VERSION = 3
"""Kept in SQLite's header field `user_version`."""

MIGRATIONS = {
    1: "ALTER TABLE object ADD COLUMN stored_at REAL NOT NULL DEFAULT 0; "
    "UPDATE object SET stored_at = CAST(strftime('%s', 'now') AS REAL);",
    2: "ALTER TABLE log_event ADD COLUMN stream TEXT NOT NULL DEFAULT '';",
}
"""Statements that bring a database of each older version to the next one."""

TABLES = """
CREATE TABLE kv_table (
    id INTEGER PRIMARY KEY,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (region, name)
);

CREATE TABLE kv_item (
    table_id INTEGER NOT NULL REFERENCES kv_table (id) ON DELETE CASCADE,
    partition TEXT NOT NULL,
    sort TEXT NOT NULL,
    attributes TEXT NOT NULL,        -- JSON; bytes as {"base64": "..."}
    version INTEGER NOT NULL,
    expires_at REAL,
    PRIMARY KEY (table_id, partition, sort)
);
CREATE INDEX kv_item_expiry ON kv_item (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE object (
    region TEXT NOT NULL,
    key TEXT NOT NULL,
    sha256 TEXT NOT NULL,            -- name of the file that holds the body
    size INTEGER NOT NULL,
    stored_at REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (region, key)
);
CREATE INDEX object_body ON object (sha256);

CREATE TABLE function (
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    specification TEXT NOT NULL,     -- JSON
    PRIMARY KEY (region, name)
);

CREATE TABLE topic (
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    function TEXT,                   -- the subscriber
    PRIMARY KEY (region, name)
);

CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL,        -- equal for duplicates
    region TEXT NOT NULL,
    topic TEXT NOT NULL,
    function TEXT NOT NULL,
    body BLOB NOT NULL,
    published_at REAL NOT NULL,
    available_at REAL NOT NULL,      -- not delivered before
    attempts INTEGER NOT NULL        -- failed so far
);

CREATE TABLE dead_letter (
    id TEXT PRIMARY KEY,
    message_id TEXT NOT NULL,
    region TEXT NOT NULL,
    topic TEXT NOT NULL,
    function TEXT NOT NULL,
    body BLOB NOT NULL,
    published_at REAL NOT NULL,
    error TEXT NOT NULL,
    failed_at REAL NOT NULL
);
CREATE INDEX dead_letter_function ON dead_letter (region, function, failed_at);

CREATE TABLE log_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    timestamp REAL NOT NULL,
    message TEXT NOT NULL,
    stream TEXT NOT NULL DEFAULT ''  -- id of the worker; empty in lines from before version 3
);
CREATE INDEX log_event_time ON log_event (region, function, timestamp, id);

CREATE TABLE role (
    name TEXT PRIMARY KEY,
    policy TEXT NOT NULL
);
"""
