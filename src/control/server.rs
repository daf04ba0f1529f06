//! Serves the socket: a task for each client, which reads requests, hands them to the daemon and writes the replies.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::request::MOST_TARGETS;
use super::{FailCode, FormerBan, Listener, Reply, Request};
use crate::address::Prefix;

/// Who sent a request, as the kernel says (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The user id of the client's process.
    pub uid: u32,
}

/// One request on its way to the daemon. A client that is gone by then does not undo what it asked for.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// By whom.
    pub peer: Peer,
    /// Where the answer goes. Dropped without one, the client is told that the daemon is stopping.
    pub reply: oneshot::Sender<Reply>,
}

/// What the server tells beside its calls.
#[derive(Debug)]
pub enum Event {
    /// A client could not be accepted (most often: too many open files); the next try is a second later.
    AcceptFailed(io::Error),
}

/// How much a client may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Clients at once; more are turned away with a message.
    clients: usize,
    /// Bytes of a request.
    request: usize,
    /// Targets of commands that are still being sent, of all clients together.
    targets: usize,
    /// From connecting, or from the last reply, to the end of a request.
    idle: Duration,
    /// For the daemon's answer.
    answer: Duration,
    /// For the client to take the reply.
    write: Duration,
    /// For the last replies when the daemon stops.
    farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 64,
            request: 1 << 20,
            targets: MOST_TARGETS,
            idle: Duration::from_secs(10),
            answer: Duration::from_mins(10),
            write: Duration::from_secs(30),
            farewell: Duration::from_secs(2),
        }
    }
}

/// How long to wait after a failed accept: what is short then (files, memory) is not back at once.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves clients until the receiver of `calls` is dropped; then removes the socket and lets the last replies out.
pub async fn serve(listener: Listener, calls: mpsc::Sender<Call>, events: impl Fn(Event) + Send) {
    serve_within(Limits::default(), listener, calls, events).await;
}

async fn serve_within(
    limits: Limits,
    listener: Listener,
    calls: mpsc::Sender<Call>,
    events: impl Fn(Event) + Send,
) {
    let calls = Arc::new(calls);
    let room = Arc::new(Semaphore::new(limits.targets));
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            () = calls.closed() => break,
            Some(_) = clients.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok(stream) if clients.len() >= limits.clients => turn_away(stream),
                Ok(stream) => { clients.spawn(converse(limits, stream, Arc::clone(&calls), Arc::clone(&room))); }
                Err(error) => {
                    events(Event::AcceptFailed(error));
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    let last = async { while clients.join_next().await.is_some() {} };
    let _ = timeout(limits.farewell, last).await;
}

/// A fresh socket has room for a short line, so that this never waits.
fn turn_away(stream: UnixStream) {
    let reply = unavailable("the daemon has too many clients at once: try again in a moment");
    if let (Ok(mut stream), Ok(line)) = (stream.into_std(), encode(&reply)) {
        let _ = stream.write(&line);
    }
}

fn unavailable(message: &str) -> Reply {
    Reply::failed(FailCode::Unavailable, message)
}

fn encode(reply: &Reply) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    Ok(line)
}

/// Targets and bans that a client sent ahead of the command they are meant for.
struct Ahead {
    targets: Vec<Prefix>,
    bans: Vec<FormerBan>,
    /// What is left for all clients, and what of it this one has.
    room: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Ahead {
    /// Keeps more; what is wrong if there is no room.
    fn add(&mut self, targets: Vec<Prefix>, bans: Vec<FormerBan>) -> Result<(), String> {
        let count = u32::try_from(targets.len() + bans.len()).unwrap_or(u32::MAX);
        let Ok(taken) = Arc::clone(&self.room).try_acquire_many_owned(count) else {
            return Err(format!(
                "too many addresses: commands may name {MOST_TARGETS} at one time, all together; nothing was changed"
            ));
        };
        match &mut self.taken {
            Some(before) => before.merge(taken),
            None => self.taken = Some(taken),
        }
        self.targets.extend(targets);
        self.bans.extend(bans);
        Ok(())
    }

    /// Hands them out; the room is free again when the second value is dropped.
    fn take(&mut self) -> ((Vec<Prefix>, Vec<FormerBan>), Option<OwnedSemaphorePermit>) {
        let sent = (std::mem::take(&mut self.targets), std::mem::take(&mut self.bans));
        (sent, self.taken.take())
    }
}

/// What a client sent.
enum Heard {
    Line(Vec<u8>),
    TooLong,
    /// It left, or said nothing for too long.
    Nothing,
}

async fn converse(limits: Limits, stream: UnixStream, calls: Arc<mpsc::Sender<Call>>, room: Arc<Semaphore>) {
    let Ok(peer) = stream.peer_cred().map(|cred| Peer { uid: cred.uid() }) else { return };
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut ahead = Ahead { targets: Vec::new(), bans: Vec::new(), room, taken: None };
    loop {
        let (reply, more) = match listen(limits, &mut read).await {
            Heard::Nothing => return,
            Heard::TooLong => {
                (malformed(&format!("the request is longer than {} bytes", limits.request)), false)
            }
            Heard::Line(line) => (answer(limits, &line, peer, &calls, &mut ahead).await, true),
        };
        if send(limits, &mut write, reply).await.is_err() || !more {
            return;
        }
    }
}

/// One request without its newline; the end of the stream ends the last one too.
async fn listen(limits: Limits, read: &mut BufReader<OwnedReadHalf>) -> Heard {
    let mut line = Vec::new();
    let mut bounded = read.take(limits.request as u64 + 1);
    match timeout(limits.idle, bounded.read_until(b'\n', &mut line)).await {
        Ok(Ok(count)) if count > 0 => {}
        _ => return Heard::Nothing,
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > limits.request {
        return Heard::TooLong;
    }
    Heard::Line(line)
}

fn malformed(detail: &str) -> Reply {
    let message = format!(
        "banmap {} does not understand the request: {detail} (after an upgrade restart the daemon)",
        env!("CARGO_PKG_VERSION")
    );
    Reply::failed(FailCode::Usage, message)
}

async fn answer(
    limits: Limits,
    line: &[u8],
    peer: Peer,
    calls: &mpsc::Sender<Call>,
    ahead: &mut Ahead,
) -> Reply {
    let mut request: Request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => return malformed(&error.to_string()),
    };
    if let Some(message) = request.excess() {
        return Reply::failed(FailCode::Usage, message);
    }
    if let Request::Targets { targets, bans } = request {
        let kept = ahead.add(targets, bans);
        return kept.map_or_else(|message| Reply::failed(FailCode::Usage, message), |()| nothing_to_tell());
    }
    let (before, _taken) = ahead.take();
    request.join(before);
    if let Some(message) = request.flaw() {
        return Reply::failed(FailCode::Usage, message);
    }
    let (reply, answered) = oneshot::channel();
    let asked = async {
        calls.send(Call { request, peer, reply }).await.ok()?;
        answered.await.ok()
    };
    match timeout(limits.answer, asked).await {
        Ok(answer) => answer.unwrap_or_else(|| unavailable("the daemon is stopping")),
        Err(_) => unavailable("the daemon takes too long to answer; see its log"),
    }
}

fn nothing_to_tell() -> Reply {
    Reply::Done { messages: Vec::new(), bans: Vec::new(), refused: Vec::new() }
}

/// Encodes off the async workers: a list of all bans may have tens of megabytes.
async fn send(limits: Limits, write: &mut OwnedWriteHalf, reply: Reply) -> io::Result<()> {
    let encoded = tokio::task::spawn_blocking(move || encode(&reply)).await;
    let line = encoded.map_err(io::Error::other)??;
    timeout(limits.write, write.write_all(&line)).await?
}

#[cfg(test)]
mod tests;
