//! Whose turn it is: removals first, then one addition of each client in turn. Pure; who waits for a turn is the lane's.

use std::collections::{BTreeMap, VecDeque};

/// Work that waits for its turn.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    removals: VecDeque<T>,
    additions: BTreeMap<String, VecDeque<T>>,
    /// The clients that have additions, the next one first.
    turns: VecDeque<String>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { removals: VecDeque::new(), additions: BTreeMap::new(), turns: VecDeque::new() }
    }
}

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next<T> {
    /// A removal.
    Removal(T),
    /// An addition.
    Addition(T),
}

impl<T: PartialEq> FairQueue<T> {
    pub(super) fn push_removal(&mut self, work: T) {
        if !self.removals.contains(&work) {
            self.removals.push_back(work);
        }
    }

    pub(super) fn push_addition(&mut self, client: &str, work: T) {
        if !self.additions.contains_key(client) {
            self.turns.push_back(client.to_owned());
        }
        self.additions.entry(client.to_owned()).or_default().push_back(work);
    }

    /// Takes out an addition that waits.
    pub(super) fn withdraw(&mut self, client: &str, work: &T) {
        if let Some(waiting) = self.additions.get_mut(client) {
            waiting.retain(|other| other != work);
            if waiting.is_empty() {
                self.additions.remove(client);
                self.turns.retain(|other| other != client);
            }
        }
    }

    /// Whether the next one is a removal; nothing if there is none.
    pub(super) fn next_is_removal(&self) -> Option<bool> {
        if self.len() == 0 { None } else { Some(!self.removals.is_empty()) }
    }

    pub(super) fn pop(&mut self) -> Option<Next<T>> {
        if let Some(work) = self.removals.pop_front() {
            return Some(Next::Removal(work));
        }
        let client = self.turns.pop_front()?;
        let waiting = self.additions.get_mut(&client)?;
        let work = waiting.pop_front()?;
        if waiting.is_empty() {
            self.additions.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        Some(Next::Addition(work))
    }

    pub(super) fn len(&self) -> usize {
        self.removals.len() + self.additions.values().map(VecDeque::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut queue: FairQueue<u32>) -> Vec<Next<u32>> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn removals_go_first_and_clients_take_turns() {
        let mut queue = FairQueue::default();
        for work in 0..4 {
            queue.push_addition("many", work);
        }
        queue.push_addition("one", 10);
        queue.push_removal(20);
        queue.push_removal(20);
        assert_eq!((queue.len(), queue.next_is_removal()), (6, Some(true)));
        let expected = [0, 10, 1, 2, 3].map(Next::Addition);
        assert_eq!(all(queue), [vec![Next::Removal(20)], expected.to_vec()].concat());
    }

    #[test]
    fn of_fifty_clients_nobody_waits_for_more_than_one_addition_of_each_other_one() {
        let mut queue = FairQueue::default();
        for client in 0..50 {
            for work in 0..3 {
                queue.push_addition(&format!("client-{client}"), client * 100 + work);
            }
        }
        for (position, next) in all(queue).into_iter().enumerate() {
            let Next::Addition(work) = next else { unreachable!("no removal was asked for") };
            assert_eq!(position / 50, (work % 100) as usize, "the {position}th is {work}");
        }
    }

    #[test]
    fn what_is_withdrawn_takes_no_turn() {
        let mut queue = FairQueue::default();
        queue.push_addition("a", 1);
        queue.push_addition("b", 2);
        queue.withdraw("a", &1);
        queue.withdraw("a", &1);
        queue.withdraw("c", &1);
        assert_eq!(all(queue), vec![Next::Addition(2)]);
        assert_eq!(FairQueue::<u32>::default().next_is_removal(), None);
    }
}
