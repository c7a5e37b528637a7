-- Times are milliseconds since 1970. `owner` is a caller's key (see auth::Caller): opaque here.

CREATE TABLE user (
    name     TEXT    NOT NULL PRIMARY KEY, -- folded: see store::UserName
    password TEXT    NOT NULL,             -- argon2id, PHC string
    version  INTEGER NOT NULL,             -- another number after every change, also across remove and add
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE voice_message (
    id       BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    owner    BLOB    NOT NULL CHECK (length(owner) = 32),
    mailbox  TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    format   TEXT    NOT NULL,
    duration INTEGER NOT NULL,             -- milliseconds
    rate     INTEGER NOT NULL,             -- hertz
    channels INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    audio    BLOB    NOT NULL              -- last: the columns before it are read without it
) STRICT;
CREATE INDEX voice_message_of_owner ON voice_message (owner, created);

-- What the server must not lose of itself: the key that makes branches verifiable.
CREATE TABLE secret (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- How often a server has opened this store: the high bits of every k.
CREATE TABLE incarnation (
    last INTEGER NOT NULL
) STRICT;
INSERT INTO incarnation (last) VALUES (0);

-- The journal. k ascends, so that every insert lands on the last page. A live call has a row in `call`, and one in
-- `call_state` from its first change on; an ended one has only its record.
CREATE TABLE call (
    k       INTEGER NOT NULL PRIMARY KEY,
    id_hash BLOB    NOT NULL CHECK (length(id_hash) = 32), -- of the PhoneCallId
    intent  BLOB    NOT NULL
) STRICT;

CREATE TABLE call_state (
    k      INTEGER NOT NULL PRIMARY KEY,
    phase  INTEGER NOT NULL,
    wish   INTEGER NOT NULL,
    dialog BLOB    NOT NULL
) STRICT;

CREATE TABLE cdr (
    k       INTEGER NOT NULL PRIMARY KEY,
    id_hash BLOB    NOT NULL CHECK (length(id_hash) = 32),
    owner   BLOB    NOT NULL CHECK (length(owner) = 32),
    started INTEGER NOT NULL,
    ended   INTEGER NOT NULL,
    cause   TEXT    NOT NULL,
    record  BLOB    NOT NULL
) STRICT;
CREATE INDEX cdr_by_end ON cdr (ended);
