//! `empty` and `snippet`: for operators who are locked out, and for those who set up a server.

use std::fs;

use super::{Site, bare, stderr, stdout};
use crate::harness::scene::{LOG, LOGIN, SITE, failed_logins};
use crate::harness::{Daemon, Scene, text};

const MORE: &str = "[output.geo]\nkind = \"nginx-geo\"\npath = \"out/geo.conf\"\nreload = \"none\"\n\
                    [output.map]\nkind = \"apache-rewritemap\"\npath = \"out/map\"\n";

/// A daemon that has banned somebody in three outputs.
fn banned(scene: &Scene) -> Daemon {
    scene.append(LOG, failed_logins("203.0.113.7", 3));
    let daemon = scene.start(&format!("{LOGIN}{SITE}{MORE}"));
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    assert!(daemon.cli(&["ban", "203.0.113.8"]).status.success(), "all outputs hold both");
    daemon
}

fn holds_nobody(scene: &Scene, name: &str) -> bool {
    let text = text(&scene.path(name));
    !text.is_empty() && !text.contains("203.0.113")
}

#[test]
fn without_a_daemon_each_kind_of_list_is_emptied_by_name_or_path() {
    let scene = Scene::new();
    banned(&scene).stop();
    let config = scene.path("banmap.toml");
    let config = config.to_str().unwrap();
    let geo = scene.path("out/geo.conf");
    for (what, file) in [("list", "out/banned"), ("map", "out/map"), (geo.to_str().unwrap(), "out/geo.conf")]
    {
        assert!(!holds_nobody(&scene, file));
        let ended = bare(&["-c", config, "empty", what]).assert().code(0).stdout("");
        assert!(stderr(&ended).contains("is empty now"), "{}", stderr(&ended));
        assert!(holds_nobody(&scene, file), "{}", text(&scene.path(file)));
    }
    assert!(text(&geo).contains("geo $bad_user {"), "it stays a valid file: {}", text(&geo));
    let ended = bare(&["-c", config, "empty", "nowhere"]).assert().code(2);
    assert!(stderr(&ended).contains("`nowhere`"), "{}", stderr(&ended));
    // The bans themselves stay: the next start publishes them again.
    let daemon = scene.start_again();
    assert_eq!(daemon.banned(), ["203.0.113.7", "203.0.113.8"]);
}

#[test]
fn a_locked_out_operator_needs_no_valid_configuration() {
    let scene = Scene::new();
    banned(&scene).stop();
    let config = fs::read_to_string(scene.path("banmap.toml")).unwrap();
    scene.write("banmap.toml", &format!("{config}\n[jail.broken]\nfilter = \"nowhere\"\n[typo]\n"));
    let config = scene.path("banmap.toml");
    bare(&["-c", config.to_str().unwrap(), "empty", "map"]).assert().code(0);
    assert!(holds_nobody(&scene, "out/map"));
}

#[test]
fn what_a_removed_output_left_behind_is_emptied_with_and_without_a_daemon() {
    let scene = Scene::new();
    banned(&scene).stop();
    let config = scene.configure(&format!("{LOGIN}{SITE}"));
    let config = config.to_str().unwrap();
    bare(&["-c", config, "empty", "geo"]).assert().code(0);
    assert!(holds_nobody(&scene, "out/geo.conf"));
    let daemon = Daemon::start(&scene.path("banmap.toml"));
    daemon.wait_logged(
        "out/map was written by output map (apache-rewritemap), which is not configured so any more",
    );
    assert!(!daemon.log().contains("geo.conf"), "it was let go of: {}", daemon.log());
    assert!(!holds_nobody(&scene, "out/map"), "it stays in force until it is emptied");
    let map = scene.path("out/map");
    let ended = daemon.cli(&["empty", map.to_str().unwrap()]);
    assert!(ended.status.success() && holds_nobody(&scene, "out/map"), "{ended:?}");
    assert_eq!(daemon.cli(&["empty", "map"]).status.code(), Some(2), "it is ours no more");
    // A live output would be written again at once.
    let ended = daemon.cli(&["empty", "list"]);
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.code() == Some(1) && told.contains("banmap unban --all"), "{told}");
    assert!(!holds_nobody(&scene, "out/banned"));
}

#[test]
fn a_daemon_that_cannot_be_reached_is_not_worked_against() {
    let scene = Scene::new();
    let daemon = banned(&scene);
    let config = scene.path("banmap.toml");
    let mut command = bare(&["-c", config.to_str().unwrap(), "empty", "map"]);
    let ended = command.env("BANMAP_DAEMON__SOCKET", scene.path("nothing")).assert().code(1);
    assert!(stderr(&ended).contains("banmap.lock"), "{}", stderr(&ended));
    assert!(!holds_nobody(&scene, "out/map"), "{}", daemon.log());
}

#[test]
fn snippets_are_filled_in_from_the_configuration() {
    let site = Site::new(
        "[real_ip]\ntrusted_proxies = \"10.0.0.5\"\n\
         [output.nginx]\nkind = \"nginx-geo\"\npath = \"/srv/out/nginx.conf\"\nvariable = \"evil\"\n\
         [output.apache]\nkind = \"apache-rewritemap\"\npath = \"/srv/out/banned\"\n",
    );
    let snippet = |output: &str| stdout(&site.banmap(&["snippet", output]).assert().code(0).stderr(""));
    let nginx = snippet("nginx");
    for part in
        ["include /srv/out/nginx.conf;", "if ($evil = 1) { return 444; }", "set_real_ip_from 10.0.0.5;"]
    {
        assert!(nginx.contains(part), "{part} in {nginx}");
    }
    let apache = snippet("apache");
    for part in ["txt:/srv/out/banned", "RemoteIPHeader", "RewriteRule", "10.0.0.5", "option forwardfor"] {
        assert!(apache.contains(part), "{part} in {apache}");
    }
    let ended = site.banmap(&["snippet", "ngin"]).assert().code(2).stdout("");
    assert!(
        stderr(&ended).contains("no output is named `ngin`; there are: apache, nginx"),
        "{}",
        stderr(&ended)
    );
}
