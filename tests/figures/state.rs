//! What the state directory costs a call: on a disk, in memory, and without one.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Result;
use ipv64_acme::sim::Config;

use crate::world::{World, challenge, spread, succeed};

/// How often a call is repeated.
const REPEATS: usize = 40;

pub(crate) fn measure(program: &Path) -> Result<()> {
    let world = World::start(program, Config::with_delays(&[Duration::ZERO; 2]))?;
    let memory = tempfile::tempdir_in("/dev/shm")?;
    let places = [world.state.path(), memory.path(), Path::new("/proc/no/such/place")];
    let mut times = [const { Vec::new() }; 3];
    for number in 0..REPEATS {
        // In turns, so that a busy moment of the machine hits all.
        for (directory, times) in places.into_iter().zip(&mut times) {
            let challenge = challenge(number)?;
            let mut command = world.unlimited(&[]);
            command.env("IPV64_STATE_DIR", directory).stderr(Stdio::null());
            // One call and no look-up: the domain is given, and nobody waits.
            command.env("IPV64_DOMAIN", "name.ipv64.net").env("IPV64_FOLLOW_CNAME", "false");
            command.env("IPV64_PROPAGATION_TIMEOUT", "0");
            command.args(["present", challenge.name.as_str(), challenge.value.as_str()]);
            let begin = Instant::now();
            succeed(&mut command)?;
            times.push(begin.elapsed());
        }
    }
    let [disk, memory, none] = times;
    println!("One addition with locks and journal, {REPEATS} runs:\n");
    println!("| state directory | time |");
    println!("|---|---|");
    println!("| on the disk | {} |", spread(&disk));
    println!("| on a RAM disk | {} |", spread(&memory));
    println!("| none | {} |", spread(&none));
    Ok(())
}
