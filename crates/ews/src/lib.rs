//! The EWS phone operations on the wire.
