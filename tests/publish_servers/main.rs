//! Outputs on real servers: nginx, Apache and HAProxy, started here on free loopback ports in temporary directories.

mod apache;
mod harness;
mod nginx;
