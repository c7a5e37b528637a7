//! The sockets that the thread is started with: all of them open before anything else begins.

use std::{sync::Arc, time::Duration};

use dial::Network;
use sip::Transport;
use tokio::{runtime::Handle, sync::mpsc};

use super::admitted::Admitted;
use crate::net::{
    BindError, Events, Listener, Names, NetEvent, StreamSettings, Streams, TlsClient, TlsServer, Udp, Wake,
};

/// What of the configuration sockets are opened with.
pub(crate) struct SocketSettings {
    pub(crate) listeners: Vec<Listener>,
    /// Our certificate.
    pub(crate) tls: Option<TlsServer>,
    /// How peers are verified that are no trunk.
    pub(crate) tls_client: TlsClient,
    /// The transport of each trunk, and how it is verified.
    pub(crate) trunks: Vec<(Transport, TlsClient)>,
    /// Who may open connections besides trunks and the peers of live calls.
    pub(crate) peers: Vec<Network>,
    /// How long a connection may take to come about.
    pub(crate) limit: Duration,
}

/// All that is open.
pub(crate) struct Sockets {
    pub(super) udp: Udp,
    pub(super) wake: Wake,
    pub(super) streams: Streams,
    pub(super) names: Names,
    pub(super) events: mpsc::Receiver<NetEvent>,
    pub(super) admitted: Arc<Admitted>,
    pub(super) tls_of_trunks: Vec<Option<usize>>,
    listening: Vec<Listener>,
}

impl Sockets {
    /// Binds every listener; inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BindError`].
    pub(crate) fn open(settings: SocketSettings) -> Result<Self, BindError> {
        let (udp, wake) = Udp::bind(&settings.listeners)?;
        let (events, received) = Events::new(wake.clone());
        let admitted = Arc::new(Admitted::new(settings.peers));
        let (mut tls_of_trunks, mut verified) = (Vec::new(), Vec::new());
        for (transport, client) in settings.trunks {
            // Roots are read where TLS is spoken: a host with no bundle may still do SIP over UDP.
            tls_of_trunks.push((transport == Transport::Tls).then_some(verified.len()));
            if transport == Transport::Tls {
                verified.push(client);
            }
        }
        let admits = admitted.clone();
        let streams = Streams::start(
            StreamSettings {
                listeners: settings.listeners.clone(),
                others: settings.tls.is_some().then_some(settings.tls_client),
                tls: settings.tls,
                trunks: verified,
                limit: settings.limit,
                admits: Arc::new(move |host| admits.admits(host)),
            },
            events.clone(),
        )?;
        let (mut datagrams, mut of_streams) = (udp.listening().into_iter(), streams.listening().into_iter());
        let listening = settings.listeners.iter().filter_map(|listener| {
            if listener.transport.is_stream() {
                of_streams.next()
            } else {
                datagrams.next()
            }
        });
        Ok(Self {
            listening: listening.collect(),
            names: Names::new(Handle::current(), events),
            udp,
            wake,
            streams,
            events: received,
            admitted,
            tls_of_trunks,
        })
    }

    /// Where they listen, with the ports that the system chose, in the order of the configuration.
    pub(crate) fn listening(&self) -> &[Listener] {
        &self.listening
    }
}
