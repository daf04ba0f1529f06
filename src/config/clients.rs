//! What is wrong between where clients are taken from and who compares them: a header that never counts, and bans of
//! addresses that a server never looks up.

use super::found::Reading;
use super::output::Placed;
use super::section::Section;
use super::settings::{Jail, Source};
use super::text::Place;
use crate::publish::Kind;
use crate::record::ClientFrom;
use crate::resolve::ListEntry;
use crate::terms::nearest;

/// Reports sources whose header never counts: no proxy is trusted, or no line has it.
pub(super) fn check(reading: &Reading, all: Section<'_>, sources: &[Source], trusted: &[ListEntry]) {
    let headers = sources.iter().filter(|source| source.client != ClientFrom::RemoteAddr);
    for source in headers.filter(|_| trusted.is_empty()) {
        let what = format_args!("no proxy is trusted, so `{}` would never count", source.client);
        let fix = "name the proxies that write it: trusted_proxies = [\"192.0.2.1\"] under [real_ip]";
        wrong(reading, all, source, what, fix.to_owned());
    }
    for source in sources {
        if let (Some(format), Some(field)) = (&source.format, source.client.field())
            && let (name, names) = (field.to_string(), format.field_names())
            && !names.contains(&name)
        {
            let what = format_args!("the format has no field `{field}`");
            let fix = "let the server log the header, and write its own format string as `format`";
            let meant = nearest(&name, names.iter().map(String::as_str));
            let fix = meant.map_or(fix.to_owned(), |meant| format!("did you mean \"{meant}\"? Or {fix}"));
            wrong(reading, all, source, what, fix);
        }
    }
}

/// Reports sources whose clients are banned by an output whose server compares another address.
pub(super) fn check_outputs(
    reading: &Reading,
    all: Section<'_>,
    sources: &[Source],
    jails: &[Jail],
    outputs: &[Placed],
) {
    for source in sources.iter().filter(|source| source.client != ClientFrom::RemoteAddr) {
        for output in outputs.iter().filter(|output| !output.compares_client) {
            let name = &output.settings.name;
            let bans = |jail: &&Jail| {
                !jail.simulate && jail.sources.contains(&source.settings.name) && jail.outputs.contains(name)
            };
            let Some(jail) = jails.iter().find(bans) else { continue };
            let what = format_args!(
                "jail {} bans clients of `{}` in [output.{name}], whose server compares the address that connects to it: \
                 their bans would have no effect",
                jail.name, source.client
            );
            let fix = format!(
                "{} and write client = \"remote_addr\"; or, where its gate looks up the same header, compares = \"client\" under [output.{name}]",
                server_setting(&output.settings.kind, &source.client)
            );
            wrong(reading, all, source, what, fix);
        }
    }
}

/// How a server takes the client from the header itself.
fn server_setting(kind: &Kind, client: &ClientFrom) -> String {
    let header = header(client);
    match kind {
        Kind::ApacheRewritemap => {
            format!(
                "let Apache take it itself (`RemoteIPHeader {header}` with `RemoteIPInternalProxy PROXY`)"
            )
        }
        Kind::NginxGeo { .. } | Kind::List => format!(
            "let nginx take it itself (`set_real_ip_from PROXY; real_ip_header {header}; real_ip_recursive on;`)"
        ),
    }
}

/// The header that a field is named after; neither server reads `Forwarded`.
fn header(client: &ClientFrom) -> String {
    match client {
        ClientFrom::List(field) => {
            let capital = |word: &str| {
                word.get(..1).unwrap_or_default().to_ascii_uppercase() + word.get(1..).unwrap_or_default()
            };
            field.to_string().split('_').map(capital).collect::<Vec<_>>().join("-")
        }
        ClientFrom::RemoteAddr | ClientFrom::Forwarded(_) => "X-Forwarded-For".to_owned(),
    }
}

/// Reports what is wrong with `client` of a source, at its value.
fn wrong(reading: &Reading, all: Section<'_>, source: &Source, what: std::fmt::Arguments<'_>, fix: String) {
    let name = source.settings.name.as_str();
    let Some((_, entry)) = all.entries().find(|(key, _)| *key == name) else { return };
    let header = format!("source.{name}");
    let Some(section) = Section::of_one(reading, &header, entry) else { return };
    let place: Option<&Place> = section.node("client").map(|node| &node.place);
    if let Some(place) = place {
        section.wrong("client", what, place, fix);
    }
}
