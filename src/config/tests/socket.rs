//! The socket's path, for verbs that only talk to the daemon.

use std::path::Path;

use super::*;
use crate::config::socket;

fn found(site: &Site) -> PathBuf {
    socket(&site.options()).unwrap_or_else(|problems| panic!("{problems}")).0
}

#[test]
fn the_last_one_who_names_it_wins() {
    let site = Site::new("[daemon]\nsocket = \"run/a.sock\"\n");
    assert_eq!(found(&site), site.path("run/a.sock"));
    let site = site
        .file("conf.d/10.toml", "[daemon]\nsocket = \"/run/b.sock\"\n")
        .file("conf.d/20.toml", "[jail.x]\nmaxretry = 3\n")
        .file("conf.d/30.conf", "[daemon]\nsocket = \"/run/c.sock\"\n");
    assert_eq!(found(&site), Path::new("/run/b.sock"));
    assert_eq!(found(&site.variable("BANMAP_DAEMON__SOCKET", "/run/d.sock")), Path::new("/run/d.sock"));
}

#[test]
fn a_configuration_with_errors_still_names_it() {
    let text = "typo = 1\n[daemon]\nsocket = \"/run/a.sock\"\n[jail.x]\nmaxretry = = 3\nfindtime 5\n";
    let (path, problems) = socket(&Site::new(text).options()).unwrap();
    assert_eq!(path, Path::new("/run/a.sock"));
    assert!(problems.has_errors());
}

#[test]
fn only_a_named_file_has_to_exist() {
    let site = Site::empty();
    assert_eq!(found(&site), Path::new("/run/banmap/banmap.sock"));
    let missing = site.path("none.toml");
    let options = Options { path: Some(missing.clone()), ..site.options() };
    let told = socket(&options).unwrap_err().to_string();
    assert!(told.contains("none.toml") && told.contains("-c"), "{told}");
    let site = site.variable("BANMAP_DAEMON__SOCKET", "/run/d.sock");
    let options = Options { path: Some(missing), ..site.options() };
    assert_eq!(socket(&options).unwrap().0, Path::new("/run/d.sock"));
}
