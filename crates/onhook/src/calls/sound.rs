//! The sound of a call: its message as a clip, its port, and what plays it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use dial::Reach;
use media::{
    Clip, ClipCache, ClipError, Finished, Pacer, PacerError, Permits, Playing, PortError, PortPool, Remote, RtpPort,
    Stream,
    srtp::{MasterKey, Protection},
};
use sip::sdp::{Agreed, Codec, SrtpKey};

use crate::messages::{Message, MessageError, Messages};

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

impl SoundUnavailable {
    /// Whether nothing is known to be wrong with the message: its decoder panicked.
    pub(super) fn is_interrupted(&self) -> bool {
        matches!(self, Self::Clip(ClipError::Interrupted))
    }

    /// Whether the same may well work a little later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Clip(ClipError::Load(MessageError::Store(error))) if error.is_transient())
    }
}

/// The sound of all calls: one cache of encoded messages, one pacer, one pool of ports for each family of addresses.
pub struct Sounds {
    messages: Arc<dyn Messages>,
    clips: ClipCache,
    pacer: Pacer,
    ports: Vec<PortPool>,
    /// What peers are told to send to, when it is not the address that is bound (NAT).
    announced: Option<IpAddr>,
}

impl Sounds {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        messages: Arc<dyn Messages>,
        clips: ClipCache,
        pacer: Pacer,
        ports: Vec<PortPool>,
        announced: Option<IpAddr>,
    ) -> Self {
        Self {
            messages,
            clips,
            pacer,
            ports,
            announced,
        }
    }

    /// A port of each family, and why there is none of one.
    pub(super) fn lease_ports(&self) -> (Vec<RtpPort>, Option<PortError>) {
        let (mut leased, mut failure) = (Vec::new(), None);
        for pool in &self.ports {
            match pool.lease() {
                Ok(port) => leased.push(port),
                Err(error) => failure = Some(error),
            }
        }
        (leased, failure)
    }

    /// What peers are told to send to, but for the host of a wildcard address.
    pub(super) fn announced_address(&self, port: &RtpPort) -> SocketAddr {
        let bound = port.address();
        let announced = self
            .announced
            .filter(|announced| announced.is_ipv4() == bound.is_ipv4());
        SocketAddr::new(announced.unwrap_or(bound.ip()), bound.port())
    }

    /// The message in this codec, encoded once for all calls.
    pub(super) async fn clip(&self, message: &Message, codec: Codec) -> Result<Clip, SoundUnavailable> {
        Ok(self
            .clips
            .clip(&message.sound.to_string(), of_call(codec), self.messages.sound(message))
            .await?)
    }

    /// Begins to play where the peer wants to hear it.
    pub(super) fn play(
        &self,
        clip: Clip,
        local_end: LocalEnd,
        agreed: &Agreed,
    ) -> Result<(Playing, Finished), SoundUnavailable> {
        let (remote, protection) = (local_end.remote(agreed), local_end.protection(agreed));
        let mut random = [0; 10];
        getrandom::fill(&mut random)?;
        let [a, b, c, d, e, f, g, h, i, j] = random;
        let known = local_end.reach.clone();
        let stream = Stream {
            clip,
            port: local_end.port,
            remote,
            learn: Some(Permits::new(
                move |host| local_end.reach.permits(host),
                move |host| known.knows(host),
            )),
            held: !agreed.direction.sends(),
            protection,
            payload_type: agreed.payload_type,
            ssrc: u32::from_be_bytes([a, b, c, d]),
            sequence_number: u16::from_be_bytes([e, f]),
            timestamp: u32::from_be_bytes([g, h, i, j]),
        };
        Ok(self.pacer.play(stream)?)
    }
}

/// Our end of a call's sound.
#[derive(Clone)]
pub(super) struct LocalEnd {
    pub(super) port: RtpPort,
    /// Where the trunk may send the sound.
    pub(super) reach: Reach,
    /// The key in our descriptions, should the sound be protected.
    pub(super) own_key: SrtpKey,
}

impl LocalEnd {
    /// Where the sound goes, unless the trunk may not send us there: then its listener has to show itself.
    pub(super) fn remote(&self, agreed: &Agreed) -> Option<Remote> {
        let named = agreed.remote;
        let permitted = self.reach.permits(named.ip());
        if !permitted && !named.ip().is_unspecified() {
            tracing::warn!(host = %named.ip(), "an answer wants its sound where its trunk may not send us (allowed_hosts)");
        }
        permitted.then(|| Remote::new(named))
    }

    /// The keys, when both sides have one.
    pub(super) fn protection(&self, agreed: &Agreed) -> Option<Protection> {
        let peer = agreed.srtp?;
        Some(Protection {
            own: MasterKey::new(self.own_key.0),
            peer: MasterKey::new(peer.0),
        })
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
