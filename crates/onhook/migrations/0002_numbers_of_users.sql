-- Whom a user may call by default: the own extension and registered phones (see dial::Dialler).

ALTER TABLE user ADD COLUMN extension TEXT;

CREATE TABLE user_phone (
    user   TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
    number TEXT NOT NULL, -- as written; what it means is the dial plan's to say
    PRIMARY KEY (user, number)
) STRICT, WITHOUT ROWID;
