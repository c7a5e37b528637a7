//! The sound of a call: its message as a clip, its port, and what plays it.

use std::net::SocketAddr;

use call::sdp::{Agreed, Codec, LocalMedia};
use media::{
    Clip, ClipCache, ClipError, Finished, Pacer, PacerError, Playing, PortError, PortPool, Remote, RtpPort, Stream,
};

use crate::messages::{MessageError, PlayableMessage};

/// Why a message cannot be turned into sound for a call.
#[derive(Debug, thiserror::Error)]
pub enum SoundUnavailable {
    #[error(transparent)]
    Clip(#[from] ClipError<MessageError>),
    #[error(transparent)]
    Pacer(#[from] PacerError),
    #[error("the operating system gave no random bytes")]
    NoRandomness(#[from] getrandom::Error),
}

/// The sound of all calls: one cache of encoded messages, one pacer, one pool of ports.
#[derive(Debug)]
pub struct Sounds {
    clips: ClipCache,
    pacer: Pacer,
    ports: PortPool,
    /// In order of preference; never empty.
    codecs: Vec<Codec>,
    /// What peers are told to send to, when it is not the address that is bound (NAT).
    announced: Option<std::net::IpAddr>,
}

impl Sounds {
    /// `codecs` are offered in this order.
    #[must_use]
    pub fn new(
        clips: ClipCache,
        pacer: Pacer,
        ports: PortPool,
        codecs: Vec<Codec>,
        announced: Option<std::net::IpAddr>,
    ) -> Self {
        Self {
            clips,
            pacer,
            ports,
            codecs,
            announced,
        }
    }

    /// Makes sure that the message can be played, and has it ready in the codec that is most likely to be chosen.
    pub(super) async fn prepare(&self, message: &PlayableMessage) -> Result<(), SoundUnavailable> {
        let likely = self.codecs.first().copied().unwrap_or(Codec::Pcmu);
        self.clip(message, likely).await.map(drop)
    }

    pub(super) fn lease_port(&self) -> Result<RtpPort, PortError> {
        self.ports.lease()
    }

    /// Our end of a call's stream, for its offer.
    pub(super) fn local_media(&self, port: &RtpPort, session_id: u64) -> LocalMedia {
        let bound = port.address();
        LocalMedia {
            address: SocketAddr::new(self.announced.unwrap_or(bound.ip()), bound.port()),
            session_id,
            version: 1,
            codecs: self.codecs.clone(),
        }
    }

    /// The message in this codec, encoded once for all calls.
    pub(super) async fn clip(&self, message: &PlayableMessage, codec: Codec) -> Result<Clip, SoundUnavailable> {
        let load = {
            let message = message.clone();
            move || message.audio()
        };
        Ok(self.clips.clip(message.key(), of_call(codec), load).await?)
    }

    /// Begins to play where the peer wants to hear it.
    pub(super) fn play(
        &self,
        clip: Clip,
        port: RtpPort,
        agreed: &Agreed,
    ) -> Result<(Playing, Finished), SoundUnavailable> {
        let mut random = [0; 10];
        getrandom::fill(&mut random)?;
        let [a, b, c, d, e, f, g, h, i, j] = random;
        let stream = Stream {
            clip,
            port,
            remote: Remote::new(agreed.remote),
            payload_type: agreed.payload_type,
            ssrc: u32::from_be_bytes([a, b, c, d]),
            sequence_number: u16::from_be_bytes([e, f]),
            timestamp: u32::from_be_bytes([g, h, i, j]),
        };
        Ok(self.pacer.play(stream)?)
    }
}

/// The call machine and the sound room do not know one another; this is where their codecs meet.
fn of_call(codec: Codec) -> media::Codec {
    match codec {
        Codec::Pcmu => media::Codec::Pcmu,
        Codec::Pcma => media::Codec::Pcma,
        Codec::G722 => media::Codec::G722,
    }
}
