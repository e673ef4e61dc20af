//! Hooks on a machine without the key: the binary against a stand-in for a broker, and against the broker itself.

mod fleet;
mod init;
mod people;
mod refusals;
#[cfg(feature = "serve")]
mod served;
mod settings;
mod standin;
mod verbs;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use crate::conventions::world::World;
use standin::{StandIn, TOKEN};

const NAME: &str = "name.ipv64.net";
const RECORD: &str = "_acme-challenge.name.ipv64.net";

/// A machine that has a token, no key, and no way to the API.
fn machine(aliases: &[(&str, &str)]) -> (World, StandIn) {
    let mut world = World::start();
    let broker = StandIn::start(&world.sim, aliases);
    ask(&mut world, &broker.address(), TOKEN);
    (world, broker)
}

/// Gives a machine a broker in place of the key.
fn ask(world: &mut World, address: &str, token: &str) {
    let path = world.path("token");
    std::fs::write(&path, token).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    world.set("IPV64_API_KEY", "");
    // Nobody listens there.
    world.set("IPV64_API_URL", "http://127.0.0.1:1/api");
    world.set("IPV64_BROKER", address);
    world.set("IPV64_BROKER_TOKEN_FILE", path.to_str().unwrap());
}
