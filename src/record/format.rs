//! The log formats by name, and how a line of each is read.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

use super::Field;
use super::access::{self, Layout, Stop};
use super::apache_error;
use super::date::{self, Reference};
use super::escape::Escape;
use super::haproxy;
use super::json::{self, JsonError, JsonFields};
use super::nginx_error;
use super::nginx_proxy_manager;
use super::parsed::Record;
use super::slots::{Reading, Slot};
use super::template::{FormatEscape, Template, TemplateError};
use super::traefik_clf;

/// How a server wrote its lines. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// nginx and Apache `combined`.
    Combined,
    /// `combined` and `"$http_x_forwarded_for"`: `main` of nginx's own nginx.conf.
    CombinedXff,
    /// Apache `common` (CLF).
    Common,
    /// Apache `vhost_combined`: `%v:%p` first.
    VhostCombined,
    /// Apache's error log (2.4).
    ApacheError,
    /// JSON lines with the usual keys.
    JsonUsual,
    /// JSON lines with a mapping of their own.
    Json(Arc<JsonFields>),
    /// Caddy 2, JSON.
    Caddy,
    /// Traefik, JSON.
    Traefik,
    /// Traefik, its common format.
    TraefikClf,
    /// nginx with `escape=json` and its variables' names as keys.
    NginxJson,
    /// `nginx-proxy-manager`'s `proxy` and `standard`.
    NginxProxyManager,
    /// nginx's error log.
    NginxError,
    /// `HAProxy`'s lines: `httplog`, `httpslog`, `tcplog`, CLF, errors and notices.
    Haproxy,
    /// No fields: only raw patterns look at it, and the date is searched.
    Raw,
    /// A server's own format string.
    Template(Arc<Template>),
}

/// Where a format has the request's target, as far as a search of whole buffers can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets<'f> {
    /// The first text in quotes that is not empty holds it; a quote inside is escaped.
    FirstQuoted,
    /// Anywhere in the line: in the rest of it slashes are few.
    Line,
    /// After a bracket, a blank and a quote, up to a quote and a blank. Nothing is escaped.
    AfterDate,
    /// It is a value in quotes of a key that ends so, the key's closing quote included.
    Keys(&'f [Vec<u8>]),
}

/// A line that is not of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no {format} line: {expected} expected at byte {at}")]
pub struct ParseError {
    /// The format it was read as.
    pub format: &'static str,
    /// Where reading stopped.
    pub at: usize,
    /// What should have stood there.
    pub expected: &'static str,
}

/// A name that no format has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no log format; formats are {list}", list = Format::NAMES.join(", "))]
pub struct FormatError(pub String);

impl Format {
    /// All formats that need no more than their name, in the order of `NAMES`.
    pub const ALL: [Self; 14] = [
        Self::Combined,
        Self::CombinedXff,
        Self::Common,
        Self::VhostCombined,
        Self::ApacheError,
        Self::JsonUsual,
        Self::Caddy,
        Self::Traefik,
        Self::TraefikClf,
        Self::NginxJson,
        Self::NginxProxyManager,
        Self::NginxError,
        Self::Haproxy,
        Self::Raw,
    ];

    /// Their names in the configuration.
    pub const NAMES: [&'static str; 14] = [
        "combined",
        "combined_xff",
        "common",
        "vhost_combined",
        "apache_error",
        "json",
        "caddy",
        "traefik",
        "traefik_clf",
        "nginx_json",
        "nginx_proxy_manager",
        "nginx_error",
        "haproxy",
        "raw",
    ];

    /// Other names for them: what one file of `HAProxy` holds is read by one format.
    const ALIASES: [(&'static str, Self); 5] = [
        ("haproxy_http", Self::Haproxy),
        ("haproxy_tcp", Self::Haproxy),
        ("haproxy_clf", Self::Haproxy),
        ("httplog", Self::Haproxy),
        ("tcplog", Self::Haproxy),
    ];

    /// JSON lines whose fields stand where `mapping` says: pairs of a field's name and a path of keys with `.` between
    /// them. Of several paths for one name the first counts that has a value. `client` is needed.
    pub fn json<'m>(mapping: impl IntoIterator<Item = (&'m str, &'m str)>) -> Result<Self, JsonError> {
        JsonFields::compile(mapping).map(|fields| Self::Json(Arc::new(fields)))
    }

    /// Its name in the configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::CombinedXff => "combined_xff",
            Self::Common => "common",
            Self::VhostCombined => "vhost_combined",
            Self::ApacheError => "apache_error",
            Self::JsonUsual | Self::Json(_) => "json",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::TraefikClf => "traefik_clf",
            Self::NginxJson => "nginx_json",
            Self::NginxProxyManager => "nginx_proxy_manager",
            Self::NginxError => "nginx_error",
            Self::Haproxy => "haproxy",
            Self::Raw => "raw",
            Self::Template(_) => "custom",
        }
    }

    /// The format of this name, or of another name for it; `-` stands for `_`.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.replace('-', "_");
        let alias = || Self::ALIASES.into_iter().find(|(alias, _)| *alias == name).map(|(_, format)| format);
        Self::ALL.into_iter().find(|format| format.name() == name).or_else(alias)
    }

    /// A server's own format string: nginx's `log_format`, Apache's `LogFormat`. One that is exactly one of the combined
    /// family is that format.
    pub fn compile(text: &str, escape: FormatEscape) -> Result<Self, TemplateError> {
        Template::compile(text, escape)
    }

    /// The format string that it was compiled from.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Self::Template(template) => Some(template),
            _ => None,
        }
    }

    /// Where the fields of a JSON line stand.
    fn json_fields(&self) -> Option<&JsonFields> {
        match self {
            Self::JsonUsual => Some(&json::USUAL),
            Self::Json(fields) => Some(fields),
            Self::Caddy => Some(&json::CADDY),
            Self::Traefik => Some(&json::TRAEFIK),
            Self::NginxJson => Some(&json::NGINX),
            _ => None,
        }
    }

    /// The slots of a format outside the combined family.
    fn slots(&self) -> &[Slot] {
        match self {
            Self::Combined | Self::CombinedXff | Self::Common | Self::VhostCombined | Self::Raw => &[],
            Self::ApacheError => &apache_error::SLOTS,
            Self::NginxError => &nginx_error::SLOTS,
            Self::Haproxy => &haproxy::SLOTS,
            Self::TraefikClf => &traefik_clf::SLOTS,
            Self::NginxProxyManager => &nginx_proxy_manager::SLOTS,
            Self::JsonUsual | Self::Json(_) | Self::Caddy | Self::Traefik | Self::NginxJson => {
                self.json_fields().map_or(&[], JsonFields::slots)
            }
            Self::Template(template) => template.slots(),
        }
    }

    /// The names of the fields that its records may have; none where rules on fields make no sense.
    pub fn field_names(&self) -> Vec<String> {
        let mut fields: Vec<Field> = self.slots().iter().flat_map(Slot::fields).collect();
        match self {
            Self::Combined | Self::VhostCombined => fields.extend(Field::ALL),
            Self::CombinedXff => fields.extend(Field::ALL.into_iter().chain([access::FORWARDED_FOR])),
            Self::Common => {
                let agents = |field: &Field| matches!(field, Field::Referer | Field::UserAgent);
                fields.extend(Field::ALL.into_iter().filter(|field| !agents(field)));
            }
            _ => {}
        }
        fields.iter().map(ToString::to_string).collect()
    }

    /// Whether this format's servers write `byte` as it is, wherever it stands in a field.
    pub fn never_escapes(&self, byte: u8) -> bool {
        self.escape().never_escapes(byte)
    }

    /// Whether they write it with a backslash, or one of [`Self::marks`], where they do not write it as it is.
    pub fn escapes_with_mark(&self, byte: u8) -> bool {
        self.escape().escapes_with_mark(byte)
    }

    /// Whether they write it so wherever it stands in a field of the request.
    pub fn always_escapes(&self, byte: u8) -> bool {
        self.escape().always_escapes(byte)
    }

    /// One of these stands wherever a byte is escaped, unless a backslash does.
    pub fn marks(&self) -> &'static [&'static [u8]] {
        self.escape().marks_of_its_own()
    }

    /// Whether this field is written as it came, whatever the others are.
    pub fn is_verbatim(&self, field: &Field) -> bool {
        matches!(self, Self::Haproxy) && matches!(field, Field::Named(_))
    }

    /// Whether most lines hold this text, whatever was asked for.
    pub fn is_usual(&self, text: &[u8]) -> bool {
        matches!(self, Self::Haproxy) && memchr::memmem::find(b" - - ---- 0/0/0/0/0 0/0 \"", text).is_some()
    }

    fn escape(&self) -> Escape {
        match self {
            Self::Combined
            | Self::CombinedXff
            | Self::Common
            | Self::VhostCombined
            | Self::ApacheError
            | Self::NginxProxyManager => Escape::Server,
            Self::JsonUsual | Self::Json(_) | Self::Caddy | Self::Traefik | Self::NginxJson => Escape::Json,
            Self::Haproxy => Escape::Haproxy,
            Self::TraefikClf | Self::NginxError | Self::Raw => Escape::None,
            Self::Template(template) => template.escape(),
        }
    }

    /// Whether the request line is the first text in quotes that is not empty, and the date stands in brackets
    /// before it: so in all of the combined family.
    pub const fn is_combined(&self) -> bool {
        self.layout().is_some() || matches!(self, Self::NginxProxyManager)
    }

    /// Where the request's target stands; `None` where that takes reading the line.
    pub fn targets(&self) -> Option<Targets<'_>> {
        match self {
            Self::TraefikClf => Some(Targets::AfterDate),
            Self::Haproxy => Some(Targets::Line),
            _ if self.is_combined() => Some(Targets::FirstQuoted),
            _ => self.json_fields().map(|fields| Targets::Keys(fields.targets())),
        }
    }

    /// Reads one line (without its newline; a `\r` at its end is no part of a field). A raw line is never an error;
    /// a date of it that lacks zone or year is found, and its time is not known: that takes `parse_at`.
    pub fn parse<'a>(&'a self, line: &'a [u8]) -> Result<Record<'a>, ParseError> {
        self.read(line, None)
    }

    /// The same, with what completes the dates of raw lines that name no zone or no year.
    pub fn parse_at<'a>(&'a self, line: &'a [u8], reference: &Reference) -> Result<Record<'a>, ParseError> {
        self.read(line, Some(reference))
    }

    fn read<'a>(&'a self, line: &'a [u8], reference: Option<&Reference>) -> Result<Record<'a>, ParseError> {
        let read = match self {
            Self::Combined | Self::CombinedXff | Self::Common | Self::VhostCombined => {
                self.layout().map_or_else(
                    || Ok(raw(line, reference)),
                    |layout| {
                        access::read(line, layout)
                            .map(|(head, access)| Record::access(line, &head, Some(access)))
                    },
                )
            }
            Self::ApacheError => slotted(line, &apache_error::SLOTS, apache_error::read(line, reference)),
            Self::TraefikClf => slotted(line, &traefik_clf::SLOTS, traefik_clf::read(line)),
            Self::NginxProxyManager => {
                slotted(line, &nginx_proxy_manager::SLOTS, nginx_proxy_manager::read(line))
            }
            Self::JsonUsual | Self::Json(_) | Self::Caddy | Self::Traefik | Self::NginxJson => {
                self.json_fields().map_or_else(
                    || Ok(raw(line, reference)),
                    |fields| slotted(line, fields.slots(), fields.read(line, reference)),
                )
            }
            Self::NginxError => slotted(line, &nginx_error::SLOTS, nginx_error::read(line, reference)),
            Self::Haproxy => slotted(line, &haproxy::SLOTS, haproxy::read(line, reference)),
            Self::Raw => Ok(raw(line, reference)),
            Self::Template(template) => slotted(line, template.slots(), template.read(line, reference)),
        };
        read.map_err(|Stop { at, expected }| ParseError { format: self.name(), at, expected })
    }

    const fn layout(&self) -> Option<Layout> {
        match self {
            Self::Combined => Some(Layout { vhost: false, agents: true, forwarded: false }),
            Self::CombinedXff => Some(Layout { vhost: false, agents: true, forwarded: true }),
            Self::Common => Some(Layout { vhost: false, agents: false, forwarded: false }),
            Self::VhostCombined => Some(Layout { vhost: true, agents: true, forwarded: false }),
            _ => None,
        }
    }

    /// The format that reads most of these lines; `None` when none reads more than half. Empty lines do not count.
    /// Where several read a line, the one with more fields wins. `Raw`, which reads everything, is never detected.
    pub fn detect<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut total = 0_usize;
        let mut readers: Vec<(Self, usize)> = Self::DETECTED.into_iter().map(|format| (format, 0)).collect();
        for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
            total += 1;
            let richest = Self::recognise(line);
            // A combined line is a common one too, so both kinds together make a file readable as common.
            let also: &[Self] = match richest {
                Some(Self::CombinedXff) => &[Self::Combined, Self::Common],
                Some(Self::Combined) => &[Self::Common],
                _ => &[],
            };
            for (_, count) in
                readers.iter_mut().filter(|(of, _)| Some(of) == richest.as_ref() || also.contains(of))
            {
                *count += 1;
            }
        }
        readers.into_iter().find(|(_, lines)| *lines > total / 2).map(|(format, _)| format)
    }

    /// Those that a line can be recognised as, those with most fields first.
    pub const DETECTED: [Self; 13] = [
        Self::Caddy,
        Self::Traefik,
        Self::NginxJson,
        Self::JsonUsual,
        Self::NginxProxyManager,
        Self::TraefikClf,
        Self::VhostCombined,
        Self::Haproxy,
        Self::CombinedXff,
        Self::Combined,
        Self::Common,
        Self::ApacheError,
        Self::NginxError,
    ];

    /// The format that finds most fields in a line; never `Raw`.
    pub fn recognise(line: &[u8]) -> Option<Self> {
        Self::DETECTED.into_iter().find(|format| match format {
            // With a virtual host before it a line still reads as combined, with the host as client: so a line whose
            // second token is an address, or whose first is `name:port`, is one with a virtual host.
            Self::VhostCombined => format
                .parse(line)
                .is_ok_and(|record| record.address().is_some() || starts_with_name_and_port(line)),
            Self::CombinedXff => format.parse(line).is_ok_and(|record| record.ends_in_addresses()),
            // Any JSON line can be read with any mapping.
            _ => {
                format.json_fields().map_or_else(|| format.parse(line).is_ok(), |json| json.recognises(line))
            }
        })
    }

    /// The line's own time alone, as cheaply as can be: used to bisect a file. Of raw lines only a complete one.
    pub fn time(&self, line: &[u8]) -> Option<Timestamp> {
        self.head_time(line, None)
    }

    /// The same, with what completes the dates of raw lines.
    pub fn time_at(&self, line: &[u8], reference: &Reference) -> Option<Timestamp> {
        self.head_time(line, Some(reference))
    }

    fn head_time(&self, line: &[u8], reference: Option<&Reference>) -> Option<Timestamp> {
        match self.layout() {
            Some(layout) => access::head(line, layout.vhost).ok().map(|head| head.time),
            None => self.read(line, reference).ok()?.time(),
        }
    }

    /// The byte strings one of which a line of this format must hold where its status is `status`;
    /// `None` where the format does not say (`" 404 ` for the combined family: the closing quote, blanks around the number; ` 404 ` for `HAProxy`).
    pub fn status_literal(&self, status: u16) -> Option<Vec<u8>> {
        let text = match self {
            Self::Template(template) => return template.status_literal(status),
            Self::NginxProxyManager => format!(" {status:03} - "),
            Self::Haproxy => format!(" {status} "),
            // Around the digits an object may have blanks and quotes.
            _ if self.json_fields().is_some() => format!("{status:03}"),
            _ if self.layout().is_some() || *self == Self::TraefikClf => format!("\" {status:03} "),
            _ => return None,
        };
        Some(text.into_bytes())
    }

    /// How many bytes on either side of a line `forged` looks at; `None` for formats whose lines are always lines of the
    /// server's own.
    pub const fn context(&self) -> Option<usize> {
        match self {
            Self::NginxError => Some(nginx_error::WINDOW),
            _ => None,
        }
    }

    /// Whether a client may have written the line that stands at `line` of `text`, by a line end inside of another one.
    /// `text` holds what stands around it, as far as `context` says and there is so much; `is_whole` tells that nothing of
    /// the entry that `text` ends with is still to come.
    pub fn forged(&self, text: &[u8], line: Range<usize>, is_whole: bool) -> bool {
        matches!(self, Self::NginxError) && nginx_error::is_forgeable(text, line, is_whole)
    }
}

/// A line of a format with slots.
fn slotted<'a>(line: &'a [u8], slots: &'a [Slot], reading: Reading) -> Result<Record<'a>, Stop> {
    reading.map(|parts| Record::slots(line, slots, parts))
}

/// Reads a line without fields. Where it is one of the combined family, its date is found by position, since a
/// search would find the one that a client wrote into the user.
fn raw<'a>(line: &'a [u8], reference: Option<&Reference>) -> Record<'a> {
    match access::head(line, false) {
        Ok(head) => Record::access(line, &head, None),
        Err(_) => Record::raw(line, date::find(line).as_ref(), reference),
    }
}

fn starts_with_name_and_port(line: &[u8]) -> bool {
    let token = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let port = token.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let name = token.len().saturating_sub(port + 1);
    port > 0 && name > 0 && token.get(name) == Some(&b':') && crate::address::Address::parse(token).is_none()
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.template().map_or_else(|| self.name(), Template::text))
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        Self::named(text).ok_or_else(|| FormatError(text.to_owned()))
    }
}
