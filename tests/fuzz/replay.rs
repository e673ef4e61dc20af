//! The corpora of the fuzz targets, replayed on a stable compiler, and some thousand mutations of them from a fixed seed.
//! What is asserted stands in [`bodies`]; how to look for new inputs, in `docs/contributing.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "test code")]

mod bodies;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Mutations of each target, if the time allows.
const MUTATIONS: usize = 2000;
/// How long one target may mutate: a slow machine does fewer.
const LONGEST: Duration = Duration::from_millis(600);
/// What an input may grow to, in bytes.
const LARGEST: usize = 4096;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// xorshift64*: the same mutations on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        const TELLING: &[u8] = b"\0\x01\x1b\x7f\xc0\xff\xe2\"\\{}[]:,.-*0=\n9 ";
        if self.below(2) == 0 { TELLING[self.below(TELLING.len())] } else { self.below(256) as u8 }
    }

    /// Changes an input a little; `other` is one to take pieces from.
    fn mutate(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 => bytes.insert(at, self.byte()),
                1 if at < bytes.len() => bytes[at] = self.byte(),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                3 => drop(bytes.drain(at..(at + self.below(16)).min(bytes.len()))),
                4 => {
                    let from = self.below(other.len() + 1);
                    let piece = &other[from..(from + self.below(64)).min(other.len())];
                    drop(bytes.splice(at..at, piece.iter().copied()));
                }
                _ => {
                    let piece = bytes[at..(at + self.below(32)).min(bytes.len())].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
            }
        }
        bytes.truncate(LARGEST);
        bytes
    }
}

/// Runs one input; the message of a failure has it in the form of a byte string.
fn run(body: bodies::Body, input: &[u8], what: &str) {
    if let Err(failure) = catch_unwind(AssertUnwindSafe(|| body(input))) {
        eprintln!("{what}: b\"{}\"", input.escape_ascii());
        std::panic::resume_unwind(failure);
    }
}

#[test]
fn every_input_of_the_corpora_holds() {
    for (target, body) in bodies::ALL {
        let inputs = corpus(target);
        assert!(inputs.len() >= 5, "{target} has only {} inputs", inputs.len());
        inputs.iter().for_each(|(path, input)| run(body, input, &path.display().to_string()));
    }
}

#[test]
fn mutations_of_the_corpora_hold() {
    for (seed, (target, body)) in bodies::ALL.into_iter().enumerate() {
        let inputs = corpus(target);
        let mut dice = Dice(seed as u64 + 1);
        let end = Instant::now() + LONGEST;
        for number in 0..MUTATIONS {
            if Instant::now() > end {
                break;
            }
            let (_, input) = &inputs[dice.below(inputs.len())];
            let (_, other) = &inputs[dice.below(inputs.len())];
            let input = dice.mutate(input, other);
            run(body, &input, &format!("mutation {number} of {target}"));
        }
    }
}

/// Mutations of bytes seldom lead to another name: these are made of labels.
#[test]
fn names_of_all_sorts_of_labels_hold() {
    const LABELS: [&str; 16] = [
        "_acme-challenge",
        "*",
        "a",
        "A",
        "b-c",
        "x0",
        "name",
        "ipv64",
        "net",
        "xn--bcher-kva",
        "Bücher",
        "ß",
        "例え",
        "ａ",
        "-",
        "a_b",
    ];
    let mut dice = Dice(64);
    let name = |dice: &mut Dice| {
        let labels: Vec<_> = (0..=dice.below(5)).map(|_| LABELS[dice.below(LABELS.len())]).collect();
        labels.join([".", ".", ".", "。"][dice.below(4)])
    };
    for number in 0..MUTATIONS {
        let (first, second) = (name(&mut dice), name(&mut dice));
        // Half of them stand below one another.
        let first = if dice.below(2) == 0 { format!("{first}.{second}") } else { first };
        run(bodies::names::run, format!("{first}\n{second}").as_bytes(), &format!("name {number}"));
    }
}

#[test]
fn the_corpora_stay_small() {
    let all = bodies::ALL.iter().flat_map(|(target, _)| corpus(target));
    let (count, bytes) = all.fold((0, 0), |(count, bytes), (_, input)| (count + 1, bytes + input.len()));
    assert!(bytes < 500_000, "{count} files have {bytes} bytes");
}
