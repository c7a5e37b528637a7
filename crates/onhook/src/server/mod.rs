//! The server: every room opened in order, and closed in the opposite one.
mod wiring;
