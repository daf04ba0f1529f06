//! What an operator pastes into the web server, so that an output takes effect.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, context};

use super::render::LOOK_UPS;
use super::settings::{Kind, Settings, Style};
use crate::address::Prefix;

const NGINX: &str = include_str!("../../templates/snippets/nginx.conf");
const APACHE: &str = include_str!("../../templates/snippets/apache.conf");
const HAPROXY: &str = include_str!("../../templates/snippets/haproxy.cfg");

/// The configuration for the server that reads `output`: sections, each under a line `## WHERE`.
///
/// `trusted` are the proxies whose word about the client's address counts; without any, those lines are comments.
pub fn snippet(output: &Settings, trusted: &[Prefix]) -> String {
    let trusted: Vec<String> = trusted.iter().map(ToString::to_string).collect();
    let path = output.path.to_string_lossy();
    match &output.kind {
        Kind::NginxGeo { variable, style } => {
            let style = if *style == Style::Block { "block" } else { "include" };
            render(NGINX, context! { path => nginx_word(&path), variable, style, trusted })
        }
        Kind::ApacheRewritemap => {
            let values =
                context! { path => quoted(&path), map => map_name(output), parts => LOOK_UPS, trusted };
            format!("{}\n{}", render(APACHE, values), render(HAPROXY, context! {}))
        }
        Kind::List => {
            format!("## Nothing to paste\n# {path} is a plain list, for programs of your own to read.\n")
        }
    }
}

fn render(template: &str, values: minijinja::Value) -> String {
    let mut environment = Environment::new();
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("only the white space is other than the default"));
    environment.render_str(template, values).expect("the embedded templates render; a test renders them all")
}

/// As one word of an nginx configuration.
fn nginx_word(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-');
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("\"{}\"", quoted(text)) }
}

/// As the inside of a quoted string, of nginx as of Apache.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The map's name in Apache's configuration; names of outputs may hold more than it takes.
fn map_name(output: &Settings) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("banmap_{}", output.name.as_str().chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::{Kind, Settings, Style, snippet};

    fn made(kind: Kind, path: &str, trusted: &[&str]) -> String {
        let trusted: Vec<_> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        snippet(&Settings::plain(kind, path.into()), &trusted)
    }

    #[test]
    fn every_kind_has_one_that_names_its_file() {
        for name in Kind::NAMES {
            let text = made(Kind::named(name).unwrap(), "/var/lib/x", &["10.0.0.1", "2001:db8::/32"]);
            assert!(text.starts_with("## ") && text.contains("/var/lib/x"), "{text}");
            assert!(!text.contains("{{") && !text.contains("{%"), "{text}");
        }
    }

    #[test]
    fn trusted_proxies_are_filled_in_or_shown_as_comments() {
        let geo = || Kind::NginxGeo { variable: "bad".to_owned(), style: Style::Include };
        let text = made(geo(), "/x y", &["10.0.0.1"]);
        assert!(text.contains("\nset_real_ip_from 10.0.0.1;\n"), "{text}");
        assert!(text.contains("geo $bad { default 0; include \"/x y\"; }"), "{text}");
        assert!(text.contains("if ($bad = 1) { return 444; }") && text.contains("if ($bad = 2) {"), "{text}");
        assert!(made(geo(), "/x", &[]).contains("\n#set_real_ip_from"));
        assert!(
            made(Kind::ApacheRewritemap, "/x", &["10.0.0.1"]).contains("\nRemoteIPInternalProxy 10.0.0.1\n")
        );
        assert!(made(Kind::ApacheRewritemap, "/x", &[]).contains("\n#RemoteIPInternalProxy"));
    }
}
