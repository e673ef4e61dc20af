//! The pauses between the tries of one request. Whether there is to be another try at all is the caller's to say.

use std::time::Duration;

/// The pauses in seconds: five requests live through an outage of a minute.
const PAUSES: [f64; 4] = [1.0, 4.0, 15.0, 45.0];
/// The shortest pause, however little time is left.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
/// The most of the time that is left that a pause takes: the request after it needs some too.
const MOST_OF_TIME: f64 = 0.9;
/// The most requests for one call, the first one included.
pub const MOST_TRIES: u32 = PAUSES.len() as u32 + 1;

/// Returns the pause before the next of `tries` requests, of which so many were made: shorter where less time is left than all
/// pauses take, and by chance a little shorter or longer, so that two processes that failed together do not return
/// together. None where there are no more tries.
#[must_use]
pub fn backoff(made: u32, tries: u32, left: Duration) -> Option<Duration> {
    let most = PAUSES.get(..tries.saturating_sub(1) as usize).unwrap_or(&PAUSES);
    let rest = most.get(made.saturating_sub(1) as usize..)?;
    let pause = rest.first()? * rand::random_range(0.8..1.2);
    let share = left.as_secs_f64() * MOST_OF_TIME * rest.first()? / rest.iter().sum::<f64>();
    Some(Duration::from_secs_f64(pause.min(share)).max(SHORTEST_PAUSE))
}
