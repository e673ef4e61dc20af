//! Whose turn it is: what is urgent first, then one piece of work of each client in turn. Pure; who waits for a turn is known
//! by the lane.

use std::collections::{BTreeMap, VecDeque};

/// Work that waits for its turn.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    urgent: VecDeque<T>,
    others: BTreeMap<String, VecDeque<T>>,
    /// The clients that have work, the next one first.
    turns: VecDeque<String>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { urgent: VecDeque::new(), others: BTreeMap::new(), turns: VecDeque::new() }
    }
}

impl<T: PartialEq> FairQueue<T> {
    pub(super) fn push_urgent(&mut self, work: T) {
        if !self.urgent.contains(&work) {
            self.urgent.push_back(work);
        }
    }

    pub(super) fn push(&mut self, client: &str, work: T) {
        if !self.others.contains_key(client) {
            self.turns.push_back(client.to_owned());
        }
        self.others.entry(client.to_owned()).or_default().push_back(work);
    }

    /// Takes out work of a client that waits.
    pub(super) fn withdraw(&mut self, client: &str, work: &T) {
        if let Some(waiting) = self.others.get_mut(client) {
            waiting.retain(|other| other != work);
            if waiting.is_empty() {
                self.others.remove(client);
                self.turns.retain(|other| other != client);
            }
        }
    }

    /// Takes out all that is not urgent.
    pub(super) fn take_others(&mut self) -> Vec<T> {
        self.turns.clear();
        std::mem::take(&mut self.others).into_values().flatten().collect()
    }

    /// Whether the next one is urgent; nothing if there is none.
    pub(super) fn next_is_urgent(&self) -> Option<bool> {
        if self.len() == 0 { None } else { Some(!self.urgent.is_empty()) }
    }

    /// Takes what is next; of what is not urgent only that of clients whose turn it may be.
    pub(super) fn pop(&mut self, may: impl Fn(&str) -> bool) -> Option<T> {
        if let Some(work) = self.urgent.pop_front() {
            return Some(work);
        }
        let place = self.turns.iter().position(|client| may(client))?;
        let client = self.turns.remove(place)?;
        let waiting = self.others.get_mut(&client)?;
        let work = waiting.pop_front()?;
        if waiting.is_empty() {
            self.others.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        Some(work)
    }

    pub(super) fn len(&self) -> usize {
        self.urgent.len() + self.others.values().map(VecDeque::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut queue: FairQueue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop(|_| true)).collect()
    }

    #[test]
    fn what_is_urgent_goes_first_and_clients_take_turns() {
        let mut queue = FairQueue::default();
        for work in 0..4 {
            queue.push("many", work);
        }
        queue.push("one", 10);
        queue.push_urgent(20);
        queue.push_urgent(20);
        assert_eq!((queue.len(), queue.next_is_urgent()), (6, Some(true)));
        assert_eq!(all(queue), [20, 0, 10, 1, 2, 3]);
    }

    #[test]
    fn of_fifty_clients_nobody_waits_for_more_than_one_piece_of_work_of_each_other_one() {
        let mut queue = FairQueue::default();
        for client in 0..50 {
            for work in 0..3 {
                queue.push(&format!("client-{client}"), client * 100 + work);
            }
        }
        for (position, work) in all(queue).into_iter().enumerate() {
            assert_eq!(position / 50, (work % 100) as usize, "the {position}th is {work}");
        }
    }

    #[test]
    fn what_is_withdrawn_takes_no_turn() {
        let mut queue = FairQueue::default();
        queue.push("a", 1);
        queue.push("b", 2);
        queue.withdraw("a", &1);
        queue.withdraw("a", &1);
        queue.withdraw("c", &1);
        assert_eq!(all(queue), [2]);
        assert_eq!(FairQueue::<u32>::default().next_is_urgent(), None);
    }

    #[test]
    fn a_client_that_may_not_have_its_turn_keeps_its_place() {
        let mut queue = FairQueue::default();
        queue.push("a", 1);
        queue.push("b", 2);
        assert_eq!(queue.pop(|client| client != "a"), Some(2));
        assert_eq!(queue.pop(|client| client != "a"), None);
        queue.push("b", 3);
        assert_eq!(queue.take_others(), [1, 3]);
        assert_eq!(queue.len(), 0);
    }
}
