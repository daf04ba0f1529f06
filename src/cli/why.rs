//! `banmap why`: all that is known about one address or prefix.

use std::io;

use clap::Args;
use jiff::Timestamp;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::screen::{BOLD, GREEN, RED, Screen, YELLOW, many};
use super::{history, list, table, times};
use crate::address::Prefix;
use crate::control::{self, ClientWay, Counting, HeldRow, Holding, Reply, Request, WayEnd};
use crate::os::clock;
use crate::terms::escape;
use crate::terms::show_duration;

/// So many bans, and protected entries, inside a prefix are shown.
const SHOWN: usize = 10;

/// Explains why an address is banned, or why not
///
/// By which jail, on which lines, until when; what protects it; how near it is to a threshold; how often it was banned
/// before; how its client address was found behind proxies. Of a prefix: whether it is banned as a whole, and who is banned,
/// protected or near a threshold inside. The exit status is 0 when it is banned, 1 when not.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Why {
    /// An address or prefix
    #[arg(value_name = "ADDR")]
    address: Prefix,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Why {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let why = match globals.ask(&Request::Why { address: self.address })? {
            Reply::Why(why) => why,
            other => return Err(CliError::from_reply(other)),
        };
        let mut screen = Screen::new();
        if self.json {
            screen.json(&why)?;
        } else {
            show(&why, clock::now(), &mut screen)?;
        }
        screen.finish()?;
        Ok(if why.banned { Exit::Done } else { Exit::Failed })
    }
}

fn show(why: &control::Why, now: Timestamp, screen: &mut Screen) -> io::Result<()> {
    screen.line(headline(why, now))?;
    for ban in &why.bans {
        screen.line(format!("  {}", list::sentence(ban, now)))?;
    }
    if let Some(protection) = &why.protected_by {
        screen.line(format!("  protected by {}", escape::line(protection)))?;
    }
    for held in &why.held {
        screen.line(format!("  {}", waiting(held, now)))?;
    }
    for near in &why.near {
        screen.line(format!("  {}", nearness(near)))?;
    }
    if why.bans.is_empty() && why.near.is_empty() && why.protected_by.is_none() {
        screen.line("  no jail counts anything against it now")?;
    }
    for earlier in &why.earlier {
        screen.line(format!("  {}", repeated(earlier)))?;
    }
    inside(why, now, screen)?;
    why.clients.iter().try_for_each(|way| client(way, screen))?;
    evidence(&why.evidence, screen)?;
    if !why.history.is_empty() {
        screen.line(format!("\n{BOLD}History{BOLD:#}"))?;
        screen.line(history::grid(&why.history).trim_fmt())?;
    }
    Ok(())
}

/// The answer in one line.
fn headline(why: &control::Why, now: Timestamp) -> String {
    let address = why.address;
    let in_force = || why.bans.iter().filter(|ban| !ban.simulated);
    if why.banned {
        let forever = in_force().any(|ban| ban.until.is_none());
        let last = in_force().filter_map(|ban| ban.until).max().filter(|_| !forever);
        let left =
            if forever { "forever".to_owned() } else { format!("for another {}", times::left(last, now)) };
        let own = in_force().any(|ban| ban.address == address);
        let around = in_force().next().filter(|_| !own).map(|ban| format!(", as part of {}", ban.address));
        return format!("{address} is {RED}banned{RED:#} {left}{}", around.unwrap_or_default());
    }
    if why.challenged {
        return format!("{address} is {YELLOW}not banned, but challenged{YELLOW:#}");
    }
    let reason = if why.protected_by.is_some() && in_force().next().is_some() {
        ": it is protected, and stays free inside a banned prefix"
    } else if why.protected_by.is_some() {
        ": it is protected"
    } else if !why.bans.is_empty() {
        ": a simulated jail would ban it"
    } else if why.inside_count > 0 {
        " as a whole"
    } else {
        ""
    };
    format!("{address} is {GREEN}not banned{GREEN:#}{reason}")
}

fn waiting(held: &HeldRow, now: Timestamp) -> String {
    let HeldRow { verdict, why, held_until, enforced_then } = held;
    let jail = &verdict.jail;
    let why = match why {
        Holding::Storm => format!("jail {jail} bans suspiciously many: `banmap release {jail}` lets it go"),
        Holding::Crawler => "its client says that it is a crawler, and is being asked about".to_owned(),
    };
    let then = if *enforced_then { "bans" } else { "is dropped" };
    let left = times::left(Some(*held_until), now);
    format!("held, not banned: {}; {why}; it {then} in {left}", list::sentence(verdict, now))
}

fn nearness(near: &control::Near) -> String {
    let control::Near { jail, address, offences, weight, maxretry, findtime, what, simulated } = near;
    let counted = format!("{jail}: {offences} of {maxretry}");
    let within = show_duration(*findtime);
    let counted = match what {
        Counting::Offences if weight > offences => {
            let offences = many((*offences).into(), "offence");
            format!(
                "{jail}: {weight} of {maxretry}, by the weight of {offences} within {within} by {address}"
            )
        }
        Counting::Bans => format!("{counted} bans by other jails within {within} of {address}"),
        Counting::Offences => format!("{counted} offences within {within} by {address}"),
        Counting::Groups => format!("{counted} different clients with offences within {within} in {address}"),
        Counting::Requests => format!("{counted} requests ahead of its rate by {address}"),
    };
    if *simulated { format!("{counted}; simulated, would ban nobody") } else { counted }
}

fn repeated(earlier: &control::Earlier) -> String {
    format!(
        "{}: {} banned {} before: the next ban lasts {}",
        earlier.jail,
        earlier.address,
        many_times(earlier.bans),
        earlier.next.map_or("forever".to_owned(), show_duration)
    )
}

/// Who is banned, and who is protected, inside a prefix.
fn inside(why: &control::Why, now: Timestamp, screen: &mut Screen) -> io::Result<()> {
    if why.address.is_host() {
        return Ok(());
    }
    screen.line(format!("  it holds {}", why.address.extent()))?;
    for spared in why.spared.iter().take(SHOWN) {
        let rule = escape::line(&spared.rule);
        screen.line(format!("  {} inside is protected: {rule}", spared.address))?;
    }
    more(why.spared_count, screen)?;
    if why.inside_count > 0 {
        screen.line(format!("\n{BOLD}Bans inside{BOLD:#} ({})", why.inside_count))?;
    }
    for ban in why.inside.iter().take(SHOWN) {
        screen.line(format!("  {}", list::sentence(ban, now)))?;
    }
    more(why.inside_count, screen)
}

fn more(count: usize, screen: &mut Screen) -> io::Result<()> {
    if count > SHOWN { screen.line(format!("  … and {} more", count - SHOWN)) } else { Ok(()) }
}

/// How the client of its lines was found, hop by hop.
fn client(way: &ClientWay, screen: &mut Screen) -> io::Result<()> {
    screen.line(format!(
        "\n{BOLD}Client{BOLD:#} of {}, as source {} finds it (client = {})",
        many(way.lines as u64, "line"),
        way.source,
        escape::line(&way.client)
    ))?;
    for (number, hop) in way.hops.iter().enumerate() {
        let named = number.checked_sub(1).and_then(|before| way.hops.get(before));
        let found = match named {
            Some(_) if way.end == WayEnd::Logged => "the server logged it as the client".to_owned(),
            Some(before) => format!("named by {}", before.address),
            None if way.end == WayEnd::Logged && way.hops.len() == 1 => "as the server logged it".to_owned(),
            None => "connected to the server".to_owned(),
        };
        let trusted =
            hop.trusted_by.as_deref().map(|entry| format!(", trusted proxy {}", escape::line(entry)));
        let end = if number + 1 == way.hops.len() { ending(way) } else { "" };
        screen.line(format!("  {}  {found}{}{end}", hop.address, trusted.unwrap_or_default()))?;
    }
    match &way.unread {
        Some(unread) => {
            screen.line(format!("  what stands before that is not believed: {}", escape::line(unread)))
        }
        None => Ok(()),
    }
}

/// Why the last one is the client.
fn ending(way: &ClientWay) -> &'static str {
    match way.end {
        WayEnd::Logged => "",
        WayEnd::NoHeader => ": the client, since the line has no such header",
        WayEnd::NotTrusted => ": the client, since it is no trusted proxy",
        WayEnd::First => ": the client, since nobody stands before it",
        WayEnd::Garbage => ": the client, since what stands before it is no address",
    }
}

fn many_times(number: u32) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

fn evidence(rows: &[control::EvidenceRow], screen: &mut Screen) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    screen.line(format!("\n{BOLD}Evidence{BOLD:#}"))?;
    let mut grid = table::new(&["TIME", "JAIL", "LINE"]);
    grid.add_rows(
        rows.iter()
            .map(|row| [times::exact(row.at).into(), row.jail.to_string().into(), table::text(&row.text)]),
    );
    screen.line(grid.trim_fmt())
}
