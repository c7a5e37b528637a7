//! The playable message behind an EWS ItemId, for the caller who asks.
//!
//! One source today, the store. Others (a mailbox on another server, fetched with the caller's own credentials) would be
//! further implementations of [`Messages`]; whoever plays messages does not notice.

use std::pin::Pin;

use bytes::Bytes;
use thiserror::Error;

use crate::auth::Caller;
use crate::store::{MessageFacts, MessageId, MessageSummary, Reader, StoreError};

/// Names a message's sound for as long as it does not change: what encoded clips are shared by.
pub type SoundKey = MessageId;

/// A message that its caller may hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub sound: SoundKey,
    /// For people: the name of the file it came from.
    pub name: String,
    pub facts: MessageFacts,
}

/// Why there is no message to play.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// `ErrorInvalidIdEmpty`
    #[error("the ItemId is empty")]
    EmptyId,
    /// `ErrorInvalidIdMalformed`
    #[error("the ItemId is not one of ours")]
    MalformedId,
    /// `ErrorItemNotFound`: there is none, or it is somebody else's.
    #[error("there is no such message")]
    NotFound,
    /// `ErrorInternalServerError`, or `ErrorInternalServerTransientError` when it may pass
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a source of messages returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, MessageError>> + Send + 'a>>;

/// A source of messages.
pub trait Messages: Send + Sync {
    /// The message behind an ItemId. Somebody else's is not found.
    fn find<'a>(&'a self, caller: &'a Caller, item_id: &'a str) -> Answer<'a, Message>;

    /// The sound of a message that was found, as it was stored. Needed only when no clip of it is at hand.
    fn sound<'a>(&'a self, message: &'a Message) -> Answer<'a, Bytes>;
}

/// The messages of the store.
#[derive(Clone, Debug)]
pub struct StoredMessages {
    pub rows: Reader,
    /// Another one: megabytes, which no look-up should wait for.
    pub sounds: Reader,
}

impl Messages for StoredMessages {
    fn find<'a>(&'a self, caller: &'a Caller, item_id: &'a str) -> Answer<'a, Message> {
        Box::pin(async move {
            if item_id.is_empty() {
                return Err(MessageError::EmptyId);
            }
            let id: MessageId = item_id.parse().map_err(|_| MessageError::MalformedId)?;
            let found = self.rows.message_of(caller.key, id).await?;
            let MessageSummary { id, name, facts, .. } = found.ok_or(MessageError::NotFound)?;
            Ok(Message { sound: id, name, facts })
        })
    }

    fn sound<'a>(&'a self, message: &'a Message) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let audio = self.sounds.message_audio(message.sound).await?;
            audio.ok_or(MessageError::NotFound)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::{NewMessage, Store};

    #[tokio::test]
    async fn a_caller_finds_own_messages_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        let [alice, bob] = ["alice", "bob"].map(|name| Caller::named(&name.parse().unwrap()));
        let facts = MessageFacts {
            format: "WAV".to_owned(),
            duration: Duration::from_secs(2),
            rate: 8000,
            channels: 1,
        };
        let new = NewMessage {
            owner: &alice.key,
            mailbox: "alice",
            name: "hello.wav",
            facts,
            audio: b"sound",
        };
        let item_id = store.add_message(&new).unwrap().to_string();
        let rows = Reader::start(&store, "reader", Duration::from_secs(60)).unwrap();
        let messages = StoredMessages {
            sounds: rows.clone(),
            rows,
        };

        let message = messages.find(&alice, &item_id).await.unwrap();
        assert_eq!(message.sound.to_string(), item_id);
        assert_eq!(messages.sound(&message).await.unwrap().as_ref(), b"sound");

        let unknown = "AAAAAAAAAAAAAAAAAAAAAA";
        let [others, unknown] = [
            messages.find(&bob, &item_id).await,
            messages.find(&alice, unknown).await,
        ];
        assert!(matches!(others, Err(MessageError::NotFound)));
        assert!(matches!(unknown, Err(MessageError::NotFound)));
        assert!(matches!(messages.find(&alice, "").await, Err(MessageError::EmptyId)));
        for malformed in ["AAMkAD=", "x", "../../etc/passwd", " AAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(
                matches!(messages.find(&alice, malformed).await, Err(MessageError::MalformedId)),
                "{malformed}"
            );
        }

        store.remove_message(message.sound).unwrap();
        assert!(matches!(messages.sound(&message).await, Err(MessageError::NotFound)));
    }
}
