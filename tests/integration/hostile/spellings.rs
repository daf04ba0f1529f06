//! Spellings of paths that filters know: which of them a server takes for the path shows in its answer.

use super::requests::Hostile;

/// Spellings of a path, and things behind it: the answer tells which of them a server takes for it.
pub(super) fn spellings() -> Vec<Hostile> {
    let name = |target: &String| format!("spelled {target:?}");
    let both = |path: &str| before(path).into_iter().chain(behind(path)).collect::<Vec<_>>();
    let logins =
        both("wp-login.php").into_iter().map(|target| Hostile::login(&name(&target), target.as_bytes()));
    // What is encoded twice, in capitals, or behind a backslash is another path.
    let names = |target: &String| !["%25", ".GIT", "\\"].iter().any(|part| target.contains(part));
    let secrets = both(".git/config").into_iter().map(|target| {
        Hostile::get(&name(&target), target.as_bytes()).but(|is| is.asks_secret = names(&target))
    });
    let tools = before("phpmyadmin/").into_iter().map(|target| {
        Hostile::get(&name(&target), target.as_bytes()).but(|is| is.asks_tool = names(&target))
    });
    // Out of the root: whatever the server makes of it, nobody does so by accident.
    let out = ["/../wp-login.php", "/%2e%2e/wp-login.php", "/x/../../wp-login.php", "/..;/wp-login.php"];
    let out = out.map(|target| Hostile::login(&name(&target.to_owned()), target.as_bytes()));
    let out = out.map(|hostile| hostile.but(|is| is.exploit = true));
    // So are NUL, and a dot that is written as two bytes.
    let marked = logins.chain(secrets).chain(tools).map(|hostile| {
        let exploit = hostile.name.contains("%00") || hostile.name.contains("%c0%ae");
        hostile.but(|is| is.exploit = exploit)
    });
    marked.chain(out).chain(forms()).collect()
}

/// Before a path, or in it.
fn before(path: &str) -> Vec<String> {
    let (first, rest) = path.split_at(1);
    let byte = first.as_bytes()[0];
    vec![
        format!("/{path}"),
        format!("//{path}"),
        format!("///.//{path}"),
        format!("/./{path}"),
        format!("/x/../{path}"),
        format!("/x/y/../../{path}"),
        format!("/x//../{path}"),
        format!("/%2e/{path}"),
        format!("/x/%2E%2e/{path}"),
        format!("/x%2f..%2F{path}"),
        format!("/x/.%2e/{path}"),
        format!("/%{byte:02x}{rest}"),
        format!("/%{byte:02X}{rest}"),
        format!("/%25{byte:02x}{rest}"),
        format!("/x\\..\\{path}"),
        format!("\\{path}"),
        format!("/\\{path}"),
        path.to_owned(),
        format!("http://localhost/{path}"),
        format!("HTTP://LOCALHOST//x/..//{path}"),
        format!("http://localhost:80/%{byte:02x}{rest}?x"),
        format!("http://user@localhost/{path}"),
        format!("http:///{path}"),
        format!("http:/{path}"),
        format!("ftp+x://localhost/{path}"),
        format!("//localhost/../{path}"),
        format!("/{}", path.to_uppercase()),
        format!("/%{{byte}}/../{path}"),
        format!("/%/../{path}"),
        format!("/%zz/../{path}"),
        format!("/%c0%ae/../{path}"),
        format!("/\u{e4}/../{path}"),
        format!(" /{path}"),
        format!("   /{path}"),
        format!("\t/{path}"),
        format!("/x y/../{path}"),
    ]
}

/// Behind it.
fn behind(path: &str) -> Vec<String> {
    let ends = [
        "?",
        "?x=1&y=/../z",
        "#",
        "#x",
        "?a#b?c",
        "/",
        "/x/y",
        "/x/..",
        "/.",
        "%2fx",
        "%00",
        "%20",
        " ",
        ";x=1",
    ];
    ends.map(|end| format!("/{path}{end}")).into()
}

/// Forms of `WordPress` that are no log-in, and what only looks like them.
fn forms() -> Vec<Hostile> {
    let form = |query: &str| {
        Hostile::login(&format!("the form {query:?}"), format!("/wp-login.php{query}").as_bytes())
    };
    let real = ["?action=postpass", "?action=lostpassword&x=1", "?wp_lang=de&action=register"];
    let fake = [
        "?action=postpass&action=login",
        "?action=postpass&%61ction=login",
        "?action=postpass&%61ction",
        "?action=postpass&action[]=x",
        "?action=postpass&action%5b%5d",
        "?action=postpassx",
        "?xaction=postpass",
        "?x=action=postpass",
        "?x#&action=postpass",
        "#?action=postpass",
        "?%61ction=login&action=register",
    ];
    let real = real.into_iter().map(|query| form(query).but(|is| is.no_login = true));
    real.chain(fake.into_iter().map(form)).collect()
}
