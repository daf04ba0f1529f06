//! The wanted paths, ready to be walked: from each place of an object which keys lead on, and what ends there.

use super::{JsonError, Want};

/// Longest path, in keys. Each key more doubles the ways in which it can be written flat.
const LONGEST: usize = 6;
/// Keys of a place, by a hash of their length and last byte.
const BUCKETS: usize = 32;

/// Where a path has led so far; the first node is the line's object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Node {
    edges: Vec<Edge>,
    /// For each bucket the edges in it.
    buckets: [u32; BUCKETS],
    /// What a value here is wanted for.
    pub(super) wants: Vec<Want>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Edge {
    key: Box<[u8]>,
    to: usize,
}

/// All paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Paths(Vec<Node>);

impl Paths {
    pub(super) fn new() -> Self {
        Self(vec![Node::default()])
    }

    /// Adds a path: `request.uri` is a key `uri` in an object `request`, or a key `request.uri`.
    pub(super) fn add(&mut self, path: &str, want: Want) -> Result<(), JsonError> {
        let keys: Vec<&str> = path.split('.').collect();
        if keys.len() > LONGEST || keys.iter().any(|key| key.is_empty() || key.contains('"')) {
            return Err(JsonError::Path { path: path.to_owned() });
        }
        self.add_from(0, &keys, want);
        Ok(())
    }

    fn add_from(&mut self, node: usize, keys: &[&str], want: Want) {
        if keys.is_empty() {
            self.0[node].wants.push(want);
        }
        for length in 1..=keys.len() {
            let (key, rest) = keys.split_at(length);
            let next = self.edge(node, key.join(".").as_bytes());
            self.add_from(next, rest, want);
        }
    }

    /// Where a key leads; a new node if it led nowhere yet.
    fn edge(&mut self, node: usize, key: &[u8]) -> usize {
        if let Some(to) = self.step(node, key) {
            return to;
        }
        let to = self.0.len();
        self.0.push(Node::default());
        self.0[node].insert(Edge { key: key.into(), to });
        to
    }

    /// Where a key leads from a node. Keys are compared as they stand in the line: no encoder escapes letters.
    pub(super) fn step(&self, node: usize, key: &[u8]) -> Option<usize> {
        let Node { edges, buckets, .. } = self.0.get(node)?;
        let mut at = buckets[bucket(key)] as usize;
        while let Some(edge) = edges.get(at).filter(|edge| bucket(&edge.key) == bucket(key)) {
            if *edge.key == *key {
                return Some(edge.to);
            }
            at += 1;
        }
        None
    }

    /// What a value at a node is wanted for.
    pub(super) fn wants(&self, node: usize) -> &[Want] {
        self.0.get(node).map_or(&[], |node| &node.wants)
    }
}

impl Node {
    /// Keeps the edges in the order of their buckets.
    fn insert(&mut self, edge: Edge) {
        self.edges.push(edge);
        self.edges.sort_by_key(|edge| bucket(&edge.key));
        for (number, first) in (0..).zip(&mut self.buckets) {
            *first = self.edges.partition_point(|edge| bucket(&edge.key) < number) as u32;
        }
    }
}

fn bucket(key: &[u8]) -> usize {
    let last = key.last().copied().unwrap_or_default();
    (key.len() ^ (usize::from(last) * 5)) % BUCKETS
}
