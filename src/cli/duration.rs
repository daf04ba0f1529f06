//! `--for`: how long a ban or a pause lasts.

use jiff::SignedDuration;

use crate::control::BanLength;
use crate::terms::parse_duration;

/// A ban of no length would end before it begins.
const NO_LENGTH: &str = "it has to be longer than nothing";

/// The length of a ban, for clap.
pub(super) fn of_ban(text: &str) -> Result<BanLength, String> {
    match text.parse::<BanLength>() {
        Ok(BanLength::For(length)) if length.is_zero() => Err(NO_LENGTH.to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}

/// The length of a pause, for clap. A pause without end has no `--for`.
pub(super) fn of_pause(text: &str) -> Result<SignedDuration, String> {
    match parse_duration(text) {
        Ok(Some(length)) if length.is_zero() => Err(NO_LENGTH.to_owned()),
        Ok(Some(length)) => Ok(length),
        Ok(None) => Err("leave --for away to pause until `banmap resume`".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
