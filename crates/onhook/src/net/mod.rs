//! The sockets of SIP, for the one thread that owns all calls.
//!
//! What it waits in is [`Udp`]: that thread itself reads and sends datagrams, and a [`Wake`] gets it out of its wait.
//!
//! ```text
//! udp       datagrams, and the wait                 listener  what a socket is to be
//! refused   datagrams that came back (ICMP)         bind      opening one, and why not
//! names     addresses of host names                 tls       certificates and keys, ours and peers'
//! streams   TCP and TLS connections                 places    how many of them peers may open
//! events    what all but datagrams comes by
//! ```

mod bind;
mod events;
mod listener;
mod names;
pub(crate) mod places;
#[cfg(target_os = "linux")]
mod refused;
mod streams;
pub(crate) mod tls;
mod udp;

pub use bind::BindError;
pub use events::{Events, NetEvent, Towards};
pub use listener::{Listener, ListenerError, TlsClient, TlsServer};
pub use names::{LOOK_UP, Names, Resolver, local_towards};
pub use streams::{Admits, Connect, StreamSettings, Streams, TlsOf};
pub use tls::TlsError;
pub use udp::{Arrival, SendError, Udp, Wake};

/// The longest message that is taken, in bytes.
pub const LONGEST_MESSAGE: usize = 16 * 1024;
