//! Events without repetition: a failure that lasts is told once, not at each attempt.

use std::mem::{Discriminant, discriminant};

use hashbrown::HashMap;

use super::event::{Event, EventSink, What};
use crate::terms::OutputName;

/// Hands events to the sink, but not twice the same lasting condition of an output.
pub(super) struct Teller {
    sink: EventSink,
    lasting: HashMap<(OutputName, Discriminant<What>), String>,
}

impl Teller {
    pub(super) fn new(sink: EventSink) -> Self {
        Self { sink, lasting: HashMap::new() }
    }

    /// Tells what happened to an output. A success ends the conditions that were told before it.
    pub(super) fn tell(&mut self, output: &OutputName, what: What) {
        match &what {
            What::Verified { .. } => {
                self.lasting.retain(|(name, kind), _| name != output || !ends_by_success(*kind));
            }
            lasting if is_lasting(lasting) => {
                let (key, text) = ((output.clone(), discriminant(lasting)), lasting.to_string());
                if self.lasting.get(&key) == Some(&text) {
                    return;
                }
                self.lasting.insert(key, text);
            }
            _ => {}
        }
        (self.sink)(Event { output: output.clone(), what });
    }
}

fn is_lasting(what: &What) -> bool {
    matches!(
        what,
        What::Unchecked { .. }
            | What::Unsynced { .. }
            | What::WrittenInPlace { .. }
            | What::NotRunning { .. }
            | What::Unreadable { .. }
            | What::Failed { .. }
            | What::RolledBack { .. }
            | What::Unread { .. }
    )
}

/// What is worth telling again when it comes back after a success.
fn ends_by_success(kind: Discriminant<What>) -> bool {
    let why = String::new;
    let ended = [
        What::NotRunning { why: why() },
        What::Failed { why: why() },
        What::RolledBack { message: None },
        What::Unread { why: why() },
    ];
    ended.iter().any(|what| discriminant(what) == kind)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{Teller, What};

    #[test]
    fn a_lasting_failure_is_told_once_until_it_ended() {
        let told = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&told);
        let mut teller = Teller::new(Arc::new(move |_| *counted.lock().unwrap() += 1));
        let output = "o".parse().unwrap();
        let failed = |why: &str| What::Failed { why: why.to_owned() };
        let mut tell = |what, total| {
            teller.tell(&output, what);
            assert_eq!(*told.lock().unwrap(), total);
        };
        tell(failed("full"), 1);
        tell(failed("full"), 1);
        tell(failed("read-only"), 2);
        tell(What::Published { generation: 1, entries: 1 }, 3);
        tell(failed("read-only"), 3);
        tell(What::Verified { generation: 1 }, 4);
        tell(failed("read-only"), 5);
    }
}
