//! The header of a syslog message, as nginx and `HAProxy` write it (RFC 3164): `<190>Nov 20 12:00:00 host nginx: `.

use memchr::memmem;

/// A message without its header; one that has none as it is.
pub(super) fn without_header(message: &[u8]) -> &[u8] {
    let Some(body) = message.strip_prefix(b"<") else { return message };
    let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(after) = body.get(digits..).and_then(|rest| rest.strip_prefix(b">")) else { return message };
    let stamp = after.get(..TIME).filter(|time| is_time(time));
    // The tag ends with a colon; neither it nor a host name holds a colon and a space.
    let end = stamp.and_then(|_| memmem::find(after, b": ")).map(|colon| colon + 2);
    if (1..=3).contains(&digits) { after.get(end.unwrap_or(0)..).unwrap_or(after) } else { message }
}

/// `Nov 20 12:00:00 `.
const TIME: usize = 16;

fn is_time(text: &[u8]) -> bool {
    let at = |place: usize, byte: u8| text.get(place) == Some(&byte);
    at(3, b' ') && at(6, b' ') && at(9, b':') && at(12, b':') && at(15, b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_taken_off() {
        for (message, rest) in [
            (
                "<190>Nov 20 12:00:00 web1 nginx: 192.0.2.1 - - [x] \"GET /a: b\"",
                "192.0.2.1 - - [x] \"GET /a: b\"",
            ),
            ("<134>Nov  2 12:00:00 haproxy[12]: 192.0.2.1:5 [x]", "192.0.2.1:5 [x]"),
            ("<134>a line: of its own", "a line: of its own"),
            ("no header: here", "no header: here"),
            ("<x>y", "<x>y"),
            ("<1234>y", "<1234>y"),
            ("<13", "<13"),
            ("", ""),
        ] {
            assert_eq!(without_header(message.as_bytes()), rest.as_bytes(), "{message}");
        }
    }
}
