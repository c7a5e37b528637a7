//! The sockets of SIP, for the one thread that owns all calls.
//!
//! What it waits in is [`Udp`]: that thread itself reads and sends datagrams, and a [`Wake`] gets it out of its wait.
//!
//! ```text
//! udp       datagrams, and the wait                 listener  what a socket is to be
//! refused   datagrams that came back (ICMP)         bind      opening one, and why not
//! tls       certificates and keys, ours and peers'
//! ```

mod bind;
mod listener;
#[cfg(target_os = "linux")]
mod refused;
pub(crate) mod tls;
mod udp;

pub use bind::BindError;
pub use listener::{Listener, ListenerError, TlsClient, TlsServer};
pub use tls::TlsError;
pub use udp::{Arrival, SendError, Udp, Wake};

/// The longest message that is taken, in bytes.
pub const LONGEST_MESSAGE: usize = 16 * 1024;
