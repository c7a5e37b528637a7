//! A whole server on loopback, with nobody behind its trunk.

use std::{
    net::{Ipv6Addr, SocketAddr, UdpSocket},
    path::Path,
};

use onhook::{config::Config, net::Listener, server::Server};
use tempfile::TempDir;

pub(crate) struct Tortured {
    server: Server,
    pub(crate) udp: SocketAddr,
    pub(crate) tcp: SocketAddr,
    /// `None` on a machine without IPv6.
    pub(crate) udp6: Option<SocketAddr>,
    /// A trunk has to lead somewhere.
    _trunk: UdpSocket,
    _folder: TempDir,
}

impl Tortured {
    /// `timers` is the text of `[sip.timers]`.
    pub(crate) async fn start(timers: &str) -> Self {
        let has_ipv6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        let ipv6 = if has_ipv6 { ", \"udp:[::1]:0\"" } else { "" };
        let folder = tempfile::tempdir().unwrap();
        let trunk = UdpSocket::bind("127.0.0.1:0").unwrap();
        let toml = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[sip]\nlisten = [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"{ipv6}]\n\
             peers = [\"::1\"]\nrequests_per_second = 1000000\n\
             [sip.timers]\n{timers}\n[store]\npath = {:?}\n[[trunk]]\nname = \"nobody\"\nkeepalive = \"0s\"\n\
             next_hop = \"sip:{}\"\n[dial]\nallow = [\"^[0-9]{{2,6}}$\"]\n",
            folder.path().join("onhook.db"),
            trunk.local_addr().unwrap()
        );
        let config = Config::parse(&toml, Path::new("onhook.toml")).unwrap();
        let server = Server::start(&config).await.unwrap();
        let listeners: Vec<Listener> = server
            .addresses()
            .sip
            .iter()
            .map(|listener| listener.parse().unwrap())
            .collect();
        Self {
            server,
            udp: listeners[0].address,
            tcp: listeners[1].address,
            udp6: listeners.get(2).map(|listener| listener.address),
            _trunk: trunk,
            _folder: folder,
        }
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}
