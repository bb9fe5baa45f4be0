//! The sweep on tiny data.
