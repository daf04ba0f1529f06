//! The circuit on a configuration in a temporary directory, without a web server.

use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::circuit::Circuit;
use super::run::{Received, Waits};
use super::sources::Reading;
use super::start;
use crate::address::Prefix;
use crate::control::{Call, Peer, Reply, Request};
use crate::engine::{Order, Term};
use crate::observe::Log;
use crate::os::clock;
use crate::resolve::News;
use crate::terms::Batch;

/// How long anything may take that takes milliseconds on an idle machine.
const SOON: Duration = Duration::from_secs(20);

fn configure(directory: &Path, rest: &str) -> std::path::PathBuf {
    let state = directory.display();
    let text = format!(
        "jails = [\"http-auth\"]\n[daemon]\nstate = \"{state}\"\nsocket = \"{state}/banmap.sock\"\n\
         [source.site]\npath = \"access.log\"\n{rest}"
    );
    let path = directory.join("banmap.toml");
    std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes()).unwrap();
    path
}

/// One output of the kind `list`, at `path` below the directory.
fn list(path: &str) -> String {
    format!("[output.list]\nkind = \"list\"\npath = \"{path}\"\n")
}

fn circuit(directory: &Path, rest: &str) -> Circuit {
    let path = configure(directory, rest);
    let loaded = start::load(Some(&path)).unwrap();
    start::start(Some(path), loaded, &Log::default()).unwrap()
}

fn order(term: Term) -> Order {
    Order { prefix: "198.51.100.1".parse().unwrap(), jail: None, term, reason: None }
}

/// Has every received message taken until the answer is there.
async fn ask(circuit: &mut Circuit, request: Request) -> Reply {
    let (answer, mut answered) = oneshot::channel();
    circuit.command(request, Peer { uid: 7 }, answer);
    let mut waits = Waits::new();
    let reply = async {
        loop {
            tokio::select! {
                biased;
                reply = &mut answered => return reply.unwrap(),
                received = circuit.receive(&mut waits) => circuit.take(received, &mut waits),
            }
        }
    };
    timeout(SOON, reply).await.unwrap()
}

#[tokio::test]
async fn a_flood_of_lines_holds_up_neither_the_end_of_a_ban_nor_saving() {
    let directory = tempfile::tempdir().unwrap();
    let mut circuit = circuit(directory.path(), &list("out/list"));
    let (sender, readings) = mpsc::channel(8);
    circuit.readings = readings;
    let batch = || Batch {
        source: "flood".parse().unwrap(),
        observations: Vec::new(),
        checkpoints: Vec::new(),
        live: true,
        clients: None,
    };
    let flood = || while sender.try_send(Reading::Batch(batch())).is_ok() {};
    let mut waits = Waits::new();
    let (mut seconds, mut began) = (0, clock::monotonic());
    while seconds < 2 {
        assert!(began.elapsed() < SOON, "no second passes");
        flood();
        seconds += usize::from(matches!(circuit.receive(&mut waits).await, Received::Second));
    }
    let ban = order(Term::For(SignedDuration::from_millis(1)));
    let effects = circuit.owner.engine.ban(ban, clock::now() - SignedDuration::from_secs(1)).unwrap();
    circuit.owner.carry(effects, false);
    began = clock::monotonic();
    while circuit.owner.engine.bans().count() > 0 {
        assert!(began.elapsed() < SOON, "the ban does not end");
        flood();
        let received = circuit.receive(&mut waits).await;
        if matches!(received, Received::Expiry) {
            circuit.take(received, &mut waits);
        }
    }
}

#[tokio::test]
async fn between_parts_of_many_bans_that_end_others_have_their_turn() {
    let directory = tempfile::tempdir().unwrap();
    let mut circuit = circuit(directory.path(), &list("out/list"));
    let over = clock::now() - SignedDuration::from_secs(1);
    for number in 0..20_000_u32 {
        let prefix = Prefix::host(std::net::IpAddr::from((0xcb00_0000 + number).to_be_bytes()).into());
        let ban = Order { prefix, ..order(Term::For(SignedDuration::from_millis(1))) };
        circuit.owner.engine.ban(ban, over).unwrap();
    }
    let (calls_to, calls) = mpsc::channel(1);
    circuit.calls = calls;
    let (mut waits, mut ended) = (Waits::new(), 0);
    let (reply, mut answered) = oneshot::channel();
    let call = Call { request: Request::Status { jail: None }, peer: Peer { uid: 7 }, reply };
    calls_to.try_send(call).ok().unwrap();
    while answered.try_recv().is_err() {
        let received = circuit.receive(&mut waits).await;
        ended += usize::from(matches!(received, Received::Expiry));
        circuit.take(received, &mut waits);
    }
    assert!(circuit.owner.engine.is_behind(clock::now()), "the answer did not wait for all of them");
    assert!((1..=4).contains(&ended), "{ended} parts before the answer");
    while circuit.owner.engine.is_behind(clock::now()) {
        let received = circuit.receive(&mut waits).await;
        circuit.take(received, &mut waits);
    }
    assert_eq!(circuit.owner.engine.bans().count(), 0);
}

#[tokio::test]
async fn outputs_that_are_at_work_are_let_finish_before_new_ones_begin() {
    let directory = tempfile::tempdir().unwrap();
    let mut circuit = circuit(directory.path(), &list("out/old"));
    let effects = circuit.owner.engine.ban(order(Term::Forever), clock::now()).unwrap();
    circuit.owner.carry(effects, true);
    let asked = async {
        while circuit.outputs.snapshots.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, asked).await.unwrap();
    let path = configure(directory.path(), &list("out/new"));
    let began = clock::monotonic();
    circuit.exchange(start::load(Some(&path)).unwrap()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "the old task waited for its bans in vain");
    let kept = |name: &str| circuit.owner.files().any(|file| file.path == directory.path().join(name));
    assert!(kept("out/old"), "what the old task did last is known");
    let new = std::fs::read_to_string(directory.path().join("out/new")).unwrap();
    assert!(new.contains("198.51.100.1"), "{new}");
}

#[tokio::test]
async fn a_ban_that_an_output_cannot_take_is_not_reported_as_done() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::File::create(directory.path().join("out")).unwrap();
    let mut circuit = circuit(directory.path(), &list("out/list"));
    let targets = vec!["198.51.100.1".parse().unwrap()];
    let request = Request::ban(targets);
    let Reply::Done { bans, refused, .. } = ask(&mut circuit, request).await else { panic!() };
    assert_eq!(bans.len(), 1, "it is banned, and published as soon as that is possible");
    let refused: Vec<_> = refused.iter().map(|refusal| refusal.target.as_str()).collect();
    assert_eq!(refused, ["output list"]);
    let reply = ask(&mut circuit, Request::Ping).await;
    assert!(matches!(reply, Reply::Failed { .. }), "a list that is not there is not ready: {reply:?}");
}

#[tokio::test]
async fn a_command_is_answered_when_the_first_list_is_in_place_and_not_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut circuit = circuit(directory.path(), &list("out/list"));
    let reply = ask(&mut circuit, Request::Ping).await;
    assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
    let targets = vec!["198.51.100.1".parse().unwrap()];
    let request = Request::ban(targets);
    let Reply::Done { refused, .. } = ask(&mut circuit, request).await else { panic!() };
    assert!(refused.is_empty(), "{refused:?}");
    let list = std::fs::read_to_string(directory.path().join("out/list")).unwrap();
    assert!(list.contains("198.51.100.1"), "{list}");
}

#[tokio::test]
async fn what_was_over_when_a_command_came_is_none_of_its_doing() {
    let directory = tempfile::tempdir().unwrap();
    let mut circuit = circuit(directory.path(), &list("out/list"));
    let ban = order(Term::For(SignedDuration::from_millis(1)));
    let effects = circuit.owner.engine.ban(ban, clock::now() - SignedDuration::from_secs(1)).unwrap();
    circuit.owner.carry(effects, false);
    let targets = vec!["198.51.100.2".parse().unwrap()];
    let request = Request::ban(targets);
    let Reply::Done { bans, refused, .. } = ask(&mut circuit, request).await else { panic!() };
    assert!(refused.is_empty(), "{refused:?}");
    let banned: Vec<String> = bans.iter().map(|ban| ban.address.to_string()).collect();
    assert_eq!(banned, ["198.51.100.2"]);
    let history = Request::History { address: None, since: None, jail: None };
    let Reply::History(rows) = ask(&mut circuit, history).await else { panic!() };
    let commands: Vec<_> =
        rows.iter().filter(|row| row.uid == Some(7)).map(|row| row.text.as_deref()).collect();
    assert_eq!(commands, [Some("ban")]);
}

#[tokio::test]
async fn a_pause_that_is_answered_is_stored_and_one_that_ended_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let mut circuit = circuit(directory.path(), &list("out/list"));
    let pauses = || {
        let (_, kept, _) =
            crate::store::Store::open(&directory.path().join(start::DATABASE), clock::now()).unwrap();
        kept.pauses.len()
    };
    let request = Request::Pause { jail: None, duration: Some(SignedDuration::from_hours(1)) };
    let reply = ask(&mut circuit, request).await;
    assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
    assert_eq!(pauses(), 1);
    circuit.owner.tick(clock::now() + SignedDuration::from_hours(2));
    let (stored, durable) = oneshot::channel();
    circuit.owner.save_then(Some(Box::new(move |result| drop(stored.send(result)))));
    durable.await.unwrap().unwrap();
    assert_eq!(pauses(), 0);
}

#[tokio::test]
async fn many_bans_by_hand_are_one_generation_and_their_end_is_another() {
    let directory = tempfile::tempdir().unwrap();
    let mut circuit = circuit(directory.path(), &list("out/list"));
    let targets: Vec<Prefix> = (0..3_000_u32).map(|n| Prefix::host(net(n).into())).collect();
    let before = circuit.owner.engine.generation();
    let Reply::Done { bans, refused, .. } = ask(&mut circuit, Request::ban(targets.clone())).await else {
        panic!()
    };
    assert_eq!((bans.len(), refused.len()), (3_000, 0));
    assert_eq!(circuit.owner.engine.generation(), before + 1);
    let list = std::fs::read_to_string(directory.path().join("out/list")).unwrap();
    assert_eq!(list.lines().filter(|line| !line.starts_with('#')).count(), 3_000);
    let history = Request::History { address: None, since: None, jail: None };
    let Reply::History(rows) = ask(&mut circuit, history).await else { panic!() };
    let commands: Vec<_> = rows.iter().filter(|row| row.uid == Some(7)).collect();
    assert_eq!(commands.len(), 1, "of very many the command is noted once");
    assert_eq!(commands[0].text.as_deref(), Some("ban of 3000 addresses"));
    let unban = Request::Unban {
        targets,
        all: false,
        jail: None,
        since: None,
        forget: false,
        dry_run: false,
        no_wait: false,
    };
    let Reply::Done { bans, .. } = ask(&mut circuit, unban).await else { panic!() };
    assert_eq!((bans.len(), circuit.owner.engine.generation()), (3_000, before + 2));
}

fn net(n: u32) -> std::net::IpAddr {
    std::net::Ipv4Addr::from(0xc633_6400 + n).into()
}

#[tokio::test]
async fn whom_an_answered_command_allows_is_out_of_the_list_and_stored() {
    let directory = tempfile::tempdir().unwrap();
    let mut circuit = circuit(directory.path(), &list("out/list"));
    let targets = || vec!["198.51.100.1".parse().unwrap()];
    let reason = Some("the \u{1b}[31mnew\u{1b}[0m office".to_owned());
    let ban = Request::ban(targets());
    ask(&mut circuit, ban.clone()).await;
    let allow = Request::Allow { targets: targets(), duration: None, reason: reason.clone(), no_wait: false };
    let Reply::Done { messages, bans, refused } = ask(&mut circuit, allow).await else { panic!() };
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(messages, ["allow add: 198.51.100.1"]);
    assert_eq!(bans.len(), 1, "the ban that ended");
    let published = std::fs::read_to_string(directory.path().join("out/list")).unwrap();
    assert!(!published.contains("198.51.100.1"), "{published}");
    let database = directory.path().join(start::DATABASE);
    let kept = || crate::store::Store::open(&database, clock::now()).unwrap().1.allowed;
    assert_eq!(kept().len(), 1);
    assert_eq!((kept()[0].uid, &kept()[0].reason), (Some(7), &reason));
    let Reply::Done { refused, .. } = ask(&mut circuit, ban).await else { panic!() };
    assert!(refused[0].reason.contains("allowed by hand: 198.51.100.1, by uid 7"), "{refused:?}");
    let history = Request::History { address: Some(targets()[0]), since: None, jail: None };
    let Reply::History(rows) = ask(&mut circuit, history).await else { panic!() };
    let commands: Vec<_> =
        rows.iter().filter_map(|row| row.uid.and(Some((row.text.as_deref()?, &row.reason)))).collect();
    assert_eq!(commands, [("ban", &None), ("allow add", &reason)]);
    let remove = Request::Disallow { targets: targets(), no_wait: false };
    let Reply::Done { messages, .. } = ask(&mut circuit, remove).await else { panic!() };
    assert_eq!(messages, ["allow remove: 198.51.100.1"]);
    assert_eq!(kept(), []);
    let Reply::Allowed(left) = ask(&mut circuit, Request::Allowed).await else { panic!() };
    assert_eq!(left, []);
}

#[tokio::test]
async fn an_address_that_a_name_has_now_is_unbanned_and_kept_for_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let rest = format!("[defaults]\nignoreip = \"dns:office.invalid\"\n{}", list("out/list"));
    let mut circuit = circuit(directory.path(), &rest);
    let effects = circuit.owner.engine.ban(order(Term::Forever), clock::now()).unwrap();
    circuit.owner.carry(effects, false);
    let (name, addresses) = ("office.invalid".parse().unwrap(), vec!["198.51.100.1".parse().unwrap()]);
    circuit.take(Received::List(News::Name { name, addresses }), &mut Waits::new());
    assert_eq!(circuit.owner.engine.bans().count(), 0);
    let why = circuit.owner.engine.why("198.51.100.1".parse::<Prefix>().unwrap(), clock::now());
    assert!(why.protected_by.unwrap().contains("(dns:office.invalid, ignoreip of [defaults] ("));
    let (stored, durable) = oneshot::channel();
    circuit.owner.save_then(Some(Box::new(move |result| drop(stored.send(result)))));
    durable.await.unwrap().unwrap();
    drop(circuit);
    let (_, kept, _) =
        crate::store::Store::open(&directory.path().join(start::DATABASE), clock::now()).unwrap();
    assert_eq!((kept.names[0].name.as_str(), kept.names[0].addresses.len()), ("office.invalid", 1));
}
