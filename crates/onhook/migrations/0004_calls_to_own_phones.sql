-- Whether a call was for a phone of its owner's own: caps count those apart. Of calls before this, nobody knows.

ALTER TABLE cdr ADD COLUMN own_phone INTEGER NOT NULL DEFAULT 0;
