//! What a kind of error, or the message of a CA, means. All words about that are in the tables of `docs/errors.md`, which is part
//! of the program; what a text is about is decided here.

use std::cmp::Reverse;

use serde::Serialize;

use crate::name::DnsName;

const PAGE: &str = include_str!("../docs/errors.md");

/// So many kinds are named where none is meant for sure.
const MOST_NEAREST: usize = 3;
/// What the page writes for the domain in question.
const PLACEHOLDER: &str = "DOMAIN";

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This program, as an error or a warning.
    Error,
    /// `doctor` alone.
    Finding,
    /// A CA, or the ACME client that hands its words on.
    Ca,
}

/// A row of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Its word.
    pub kind: &'static str,
    /// Who says it.
    pub origin: Origin,
    /// What is behind it.
    pub cause: String,
    /// What helps.
    pub cure: String,
    /// The texts by which the message of a CA is known.
    texts: Vec<&'static str>,
}

impl Explanation {
    /// Returns what helps, with the domain where it is known.
    #[must_use]
    pub fn cure_for(&self, domain: Option<&DnsName>) -> String {
        domain.map_or_else(|| self.cure.clone(), |domain| self.cure.replace(PLACEHOLDER, domain.as_str()))
    }

    /// Reads a row whose first cell is a kind: three cells are an error, a fourth has the levels of a finding, or what the
    /// message of a CA has in it.
    fn read(line: &'static str) -> Option<Self> {
        let cells: Vec<_> = line.strip_prefix("| `")?.trim_end_matches(" |").split(" | ").collect();
        let kind = cells[0].trim_end_matches('`');
        let (origin, texts, [cause, cure]) = match cells[1..] {
            [cause, cure] => (Origin::Error, Vec::new(), [cause, cure]),
            [texts, cause, cure] if texts.starts_with('"') => {
                (Origin::Ca, texts.trim_matches('"').split("\", \"").collect(), [cause, cure])
            }
            [_, cause, cure] => (Origin::Finding, Vec::new(), [cause, cure]),
            _ => return None,
        };
        Some(Self { kind, origin, cause: without_links(cause), cure: without_links(cure), texts })
    }

    fn is_said_in(&self, message: &str) -> bool {
        self.texts.iter().any(|text| {
            let mut rest = Some(message);
            for part in text.split('…') {
                rest = rest.and_then(|rest| rest.split_once(folded(part).as_str())).map(|(_, after)| after);
            }
            rest.is_some()
        })
    }
}

/// Returns every kind that the page knows.
pub fn all() -> impl Iterator<Item = Explanation> {
    PAGE.lines().filter_map(Explanation::read)
}

/// Returns what a text means: a kind, a message of this program with its kind in brackets, or one of a CA.
#[must_use]
pub fn find(text: &str) -> Option<Explanation> {
    let named: Vec<_> = text.split('[').skip(1).filter_map(|rest| Some(rest.split_once(']')?.0)).collect();
    let is_named = |one: &Explanation| one.kind == text.trim() || named.contains(&one.kind);
    let message = folded(text);
    all().find(is_named).or_else(|| all().find(|one| one.is_said_in(&message)))
}

/// Returns the kinds that are most like the words of a text.
#[must_use]
pub fn nearest(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let words: Vec<_> = text.split_whitespace().chain([text.as_str()]).collect();
    let mut kinds: Vec<_> = all().map(|one| one.kind).collect();
    let likeness = |kind: &&str| {
        let most = words.iter().map(|word| (strsim::normalized_levenshtein(word, kind) * 1000.0) as u32).max();
        Reverse(most.unwrap_or_default())
    };
    kinds.sort_by_key(likeness);
    kinds.truncate(MOST_NEAREST);
    kinds
}

/// Returns the first domain that a text names, without the label of the challenge.
#[must_use]
pub fn domain(text: &str) -> Option<DnsName> {
    let is_part = |c: char| c.is_alphanumeric() || "-_.*/:@=".contains(c);
    text.split(|c| !is_part(c)).find_map(|word| {
        let word = word.trim_matches(|c| ".:".contains(c)).trim_start_matches("*.");
        let top = word.rsplit_once('.')?.1;
        let is_name = top.len() > 1 && top.starts_with(char::is_alphabetic) && !top.contains('_');
        DnsName::parse(word.trim_start_matches("_acme-challenge.")).ok().filter(|_| is_name)
    })
}

/// A text in lower case with single blanks: terminals and logs break lines where they like.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A cell of the page with its links as a terminal can show them: the words, then the page in brackets.
fn without_links(cell: &str) -> String {
    let mut parts = cell.split("](");
    let mut text = parts.next().unwrap_or_default().replacen('[', "", 1);
    for part in parts {
        let (target, rest) = part.split_once(')').unwrap_or((part, ""));
        text.push_str(&format!(
            " (docs/{}){}",
            target.split('#').next().unwrap_or_default(),
            rest.replacen('[', "", 1)
        ));
    }
    text
}

#[cfg(test)]
mod tests;
