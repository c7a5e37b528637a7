-- Counts every change of a user or a number, whoever makes it: whoever keeps users in memory looks here (see store::UserCache).
CREATE TABLE user_change (
    n INTEGER NOT NULL
) STRICT;
INSERT INTO user_change (n) VALUES (0);
CREATE TRIGGER user_added AFTER INSERT ON user BEGIN UPDATE user_change SET n = n + 1; END;
CREATE TRIGGER user_changed AFTER UPDATE ON user BEGIN UPDATE user_change SET n = n + 1; END;
CREATE TRIGGER user_removed AFTER DELETE ON user BEGIN UPDATE user_change SET n = n + 1; END;
CREATE TRIGGER user_phone_added AFTER INSERT ON user_phone BEGIN UPDATE user_change SET n = n + 1; END;
CREATE TRIGGER user_phone_changed AFTER UPDATE ON user_phone BEGIN UPDATE user_change SET n = n + 1; END;
CREATE TRIGGER user_phone_removed AFTER DELETE ON user_phone BEGIN UPDATE user_change SET n = n + 1; END;

-- An ended call is looked up when somebody asks about it, not read at every start.
CREATE INDEX cdr_by_id ON cdr (id_hash);
