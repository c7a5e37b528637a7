//! A call's sound at the phone: the RTP port, what was agreed on, and the ear.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use media::{Codec, Ear, Heard, Hearing, PortError, PortPool, RtpPort};
use sip::sdp::{self, Agreed, LocalMedia, SdpError};

pub(super) struct Sound {
    port: RtpPort,
    local: LocalMedia,
    max_heard: Duration,
    agreed: Option<Agreed>,
    hearing: Option<Hearing>,
}

impl Sound {
    /// Leases a port; `address` is what the caller is told to send to.
    pub(super) fn new(
        ports: &PortPool,
        address: IpAddr,
        session_id: u64,
        codecs: &[Codec],
        max_heard: Duration,
    ) -> Result<Self, PortError> {
        let port = ports.lease()?;
        let local = LocalMedia {
            address: SocketAddr::new(address, port.address().port()),
            session_id,
            version: 1,
            codecs: codecs.iter().copied().map(negotiable).collect(),
            protection: None,
        };
        Ok(Self {
            port,
            local,
            max_heard,
            agreed: None,
            hearing: None,
        })
    }

    /// Answers an offer, the first or a later one.
    pub(super) fn answer(&mut self, offer: &[u8]) -> Result<String, SdpError> {
        let current = self.agreed.map(|agreed| agreed.codec);
        let local = self.next_version();
        let (text, agreed) = sdp::answer(&local, offer, current)?;
        self.local = local;
        self.agree(agreed);
        Ok(text)
    }

    /// Our own offer, for an INVITE without one.
    pub(super) fn offer(&mut self) -> String {
        self.local = self.next_version();
        sdp::offer(&self.local)
    }

    /// Reads the caller's answer to [`offer`](Self::offer).
    pub(super) fn accept(&mut self, answer: &[u8]) -> Result<(), SdpError> {
        let agreed = sdp::accept(&self.local, answer)?;
        self.agree(agreed);
        Ok(())
    }

    /// Opens the ear, once it is known what for.
    pub(super) fn listen(&mut self) -> io::Result<()> {
        let (None, Some(agreed)) = (&self.hearing, &self.agreed) else {
            return Ok(());
        };
        let mut ear = Ear::new(agreed.payload_type, heard_as(agreed.codec), self.max_heard);
        ear.set_telephone_event(agreed.telephone_event);
        self.hearing = Some(Hearing::start(self.port.rtp_receiver()?, None, ear));
        Ok(())
    }

    /// Until the caller is heard for the first time.
    pub(super) async fn first_sound(&self) {
        match &self.hearing {
            Some(hearing) => hearing.first_sound().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn codec(&self) -> Option<Codec> {
        self.agreed.map(|agreed| heard_as(agreed.codec))
    }

    /// Whether the caller may send to us.
    pub(super) fn is_listening(&self) -> bool {
        self.agreed
            .is_some_and(|agreed| matches!(agreed.direction, sdp::Direction::SendRecv | sdp::Direction::RecvOnly))
    }

    /// Closes the ear and gives the port back.
    pub(super) fn finish(self) -> Option<Heard> {
        self.hearing.map(Hearing::finish)
    }

    fn agree(&mut self, agreed: Agreed) {
        self.agreed = Some(agreed);
        if let Some(hearing) = &self.hearing {
            hearing.change(|ear| {
                ear.add_codec(agreed.payload_type, heard_as(agreed.codec));
                ear.set_telephone_event(agreed.telephone_event);
            });
        }
    }

    /// Every description of ours after the first differs from the one before (RFC 3264 §8).
    fn next_version(&self) -> LocalMedia {
        let described = u64::from(self.agreed.is_some());
        LocalMedia {
            version: self.local.version + described,
            ..self.local.clone()
        }
    }
}

/// The two rooms below do not know one another, so each has its own word for a codec.
fn negotiable(codec: Codec) -> sdp::Codec {
    match codec {
        Codec::Pcmu => sdp::Codec::Pcmu,
        Codec::Pcma => sdp::Codec::Pcma,
        Codec::G722 => sdp::Codec::G722,
    }
}

fn heard_as(codec: sdp::Codec) -> Codec {
    match codec {
        sdp::Codec::Pcmu => Codec::Pcmu,
        sdp::Codec::Pcma => Codec::Pcma,
        sdp::Codec::G722 => Codec::G722,
    }
}
