//! Voice messages: the sound as it was given, and what was found out about it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Reader, Store, StoreError, milliseconds, system_time};

/// What names a stored message: 128 random bits. As an EWS `ItemId` it is written base64url, and opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId([u8; 16]);

impl MessageId {
    fn random() -> Result<Self, StoreError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        // Not with six bits that are written "-": commands would take the id for an option.
        while id[0] >> 2 == 62 {
            getrandom::fill(&mut id)?;
        }
        Ok(Self(id))
    }
}

impl FromStr for MessageId {
    type Err = base64::DecodeSliceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        match BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut id)? {
            16 => Ok(Self(id)),
            length => Err(base64::DecodeError::InvalidLength(length).into()),
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// What is known about a message's sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFacts {
    /// Such as `"WAV, 16-bit PCM"`.
    pub format: String,
    pub duration: Duration,
    /// Samples a second.
    pub rate: u32,
    pub channels: u16,
}

impl From<media::SoundFacts> for MessageFacts {
    fn from(facts: media::SoundFacts) -> Self {
        Self {
            format: facts.format.to_string(),
            duration: facts.duration,
            rate: facts.sample_rate,
            channels: facts.channels,
        }
    }
}

/// A message to be stored.
#[derive(Clone, Debug)]
pub struct NewMessage<'a> {
    pub owner: &'a [u8; 32],
    /// The mailbox's name, for people.
    pub mailbox: &'a str,
    /// The message's name, for people: that of its file.
    pub name: &'a str,
    pub facts: MessageFacts,
    pub audio: &'a [u8],
}

/// A stored message, without its sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSummary {
    pub id: MessageId,
    pub owner: [u8; 32],
    pub mailbox: String,
    pub name: String,
    pub facts: MessageFacts,
    pub created: SystemTime,
    /// The size of its sound in bytes.
    pub size: u64,
}

const SUMMARY: &str =
    "SELECT id, owner, mailbox, name, format, duration, rate, channels, created, length(audio) FROM voice_message";

impl Store {
    /// Stores a message and gives it its id.
    ///
    /// # Errors
    /// When the store fails.
    pub fn add_message(&self, message: &NewMessage<'_>) -> Result<MessageId, StoreError> {
        let id = MessageId::random()?;
        let NewMessage {
            owner,
            mailbox,
            name,
            facts,
            audio,
        } = message;
        self.connection().execute(
            "INSERT INTO voice_message (id, owner, mailbox, name, format, duration, rate, channels, created, audio)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                id.0,
                owner,
                mailbox,
                name,
                facts.format,
                i64::try_from(facts.duration.as_millis()).unwrap_or(i64::MAX),
                facts.rate,
                facts.channels,
                milliseconds(SystemTime::now()),
                audio,
            ],
        )?;
        Ok(id)
    }

    /// A message, whoever it belongs to; without its sound.
    ///
    /// # Errors
    /// When the store fails.
    pub fn message(&self, id: MessageId) -> Result<Option<MessageSummary>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!("{SUMMARY} WHERE id = ?1"))?;
        Ok(statement.query_row(params![id.0], summary).optional()?)
    }

    /// The messages of one mailbox, or of all; the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn messages(&self, mailbox: Option<&str>) -> Result<Vec<MessageSummary>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare(&format!(
            "{SUMMARY} WHERE ?1 IS NULL OR mailbox = ?1 ORDER BY mailbox, created, rowid"
        ))?;
        let messages = statement.query_map(params![mailbox], summary)?;
        Ok(messages.collect::<Result<_, _>>()?)
    }

    /// Removes a message; says whether it was there.
    ///
    /// # Errors
    /// When the store fails.
    pub fn remove_message(&self, id: MessageId) -> Result<bool, StoreError> {
        Ok(self
            .connection()
            .execute("DELETE FROM voice_message WHERE id = ?1", params![id.0])?
            > 0)
    }
}

impl Reader {
    /// What is known of a message of this owner's. Somebody else's is looked for and missed as one that does not exist.
    ///
    /// # Errors
    /// When the store cannot be read, or not in time.
    pub async fn message_of(&self, owner: [u8; 32], id: MessageId) -> Result<Option<MessageSummary>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!("{SUMMARY} WHERE id = ?1 AND owner = ?2"))?;
            Ok(statement.query_row(params![id.0, owner], summary).optional()?)
        })
        .await
    }

    /// The sound of a message, as it was given.
    ///
    /// # Errors
    /// When the store cannot be read, or not in time.
    pub async fn message_audio(&self, id: MessageId) -> Result<Option<Bytes>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT audio FROM voice_message WHERE id = ?1")?;
            let audio = statement.query_row(params![id.0], |row| row.get::<_, Vec<u8>>(0));
            Ok(audio.optional()?.map(Bytes::from))
        })
        .await
    }

    /// Whether there is a message for this owner. One whom a directory vouches for has messages without being a user here.
    ///
    /// # Errors
    /// When the store cannot be read, or not in time.
    pub async fn has_messages(&self, owner: [u8; 32]) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM voice_message WHERE owner = ?1)";
            Ok(connection
                .prepare_cached(sql)?
                .query_row(params![owner], |row| row.get(0))?)
        })
        .await
    }
}

fn summary(row: &Row<'_>) -> rusqlite::Result<MessageSummary> {
    Ok(MessageSummary {
        id: MessageId(row.get(0)?),
        owner: row.get(1)?,
        mailbox: row.get(2)?,
        name: row.get(3)?,
        facts: MessageFacts {
            format: row.get(4)?,
            duration: Duration::from_millis(row.get::<_, i64>(5)?.unsigned_abs()),
            rate: row.get(6)?,
            channels: row.get(7)?,
        },
        created: system_time(row.get(8)?),
        size: row.get::<_, i64>(9)?.unsigned_abs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_comes_back_as_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        let reader = Reader::start(&store, "reader", Duration::from_secs(60)).unwrap();
        let facts = MessageFacts {
            format: "WAV".to_owned(),
            duration: Duration::from_millis(1250),
            rate: 8000,
            channels: 1,
        };
        let new = NewMessage {
            owner: &[7; 32],
            mailbox: "alice",
            name: "hello.wav",
            facts: facts.clone(),
            audio: b"sound",
        };
        let id = store.add_message(&new).unwrap();

        let found = store.message(id).unwrap().unwrap();
        assert_eq!(
            (found.owner, found.name.as_str(), &found.facts, found.size),
            ([7; 32], "hello.wav", &facts, 5)
        );
        let audio = reader.message_audio(id).await.unwrap();
        assert_eq!(audio.as_deref(), Some(b"sound".as_slice()));
        assert_eq!(reader.message_of([7; 32], id).await.unwrap().as_ref(), Some(&found));
        assert_eq!(reader.message_of([8; 32], id).await.unwrap(), None);
        assert!(reader.has_messages([7; 32]).await.unwrap() && !reader.has_messages([8; 32]).await.unwrap());
        assert_eq!(store.messages(Some("alice")).unwrap(), std::slice::from_ref(&found));
        assert_eq!(store.messages(Some("bob")).unwrap(), []);
        assert_eq!(store.messages(None).unwrap(), [found]);

        assert!(store.remove_message(id).unwrap());
        assert!(!store.remove_message(id).unwrap());
        assert_eq!(store.message(id).unwrap(), None);
        assert_eq!(reader.message_audio(id).await.unwrap(), None);
    }

    #[test]
    fn no_id_looks_like_an_option() {
        for _ in 0..2_000 {
            assert!(!MessageId::random().unwrap().to_string().starts_with('-'));
        }
    }

    #[test]
    fn ids_are_written_in_one_way_only() {
        let id = MessageId([0xfb; 16]);
        assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        let all_bits = "-_v7-_v7-_v7-_v7-_v7-w";
        assert_eq!(all_bits.parse::<MessageId>().unwrap().to_string(), all_bits);
        for malformed in [
            "",
            "short",
            "-_v7-_v7-_v7-_v7-_v7-x",
            "-_v7-_v7-_v7-_v7-_v7-w==",
            &"A".repeat(23),
            "!_v7-_v7-_v7-_v7-_v7-w",
        ] {
            assert!(malformed.parse::<MessageId>().is_err(), "{malformed}");
        }
    }
}
