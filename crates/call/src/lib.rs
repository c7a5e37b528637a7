//! One telephone call's life, without I/O.
