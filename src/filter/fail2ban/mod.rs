//! Filters in fail2ban's language, read as they are.

pub mod date;
