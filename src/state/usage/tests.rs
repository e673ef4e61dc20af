use std::time::Duration;

use super::super::tests::*;
use super::*;

#[test]
fn the_file_does_not_grow_with_the_number_of_accounts_and_the_oldest_makes_room() {
    let (state, clock) = in_memory();
    for number in 0..40 {
        let other = state.of(account_of(&format!("key{number}")));
        other.usage(|usage, now| usage.domains.remember(&[], &[], now));
        clock.advance(Duration::from_secs(1));
    }
    let is_kept = |number: &usize| {
        let other = state.of(account_of(&format!("key{number}")));
        other.usage(|usage, now| usage.domains.names(now)).is_some()
    };
    assert_eq!((0..40).rev().filter(is_kept).count(), MOST_ACCOUNTS);
}
