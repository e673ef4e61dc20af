//! A machine that gives little: few open files, little memory, no larger files, no threads. A challenge works with little, and
//! fails in order with less.

use super::*;

/// Adds a record under a limit, for as long as it needs to be ready, and removes it without.
fn present_under(limit: &str) -> Finished {
    let mut env = TestEnvironment::new();
    env.set("IPV64_PROPAGATION_TIMEOUT", "20");
    let finished = shell(&env, &format!("{limit}; exec ipv64-acme present {NAME} {VALUE}"));
    assert_can_be_removed(&env, VALUE, limit);
    finished
}

fn check_all<const N: usize>(limits: [&str; N], check: impl Fn(&str, Finished) + Sync) {
    std::thread::scope(|scope| {
        for limit in limits {
            let check = &check;
            scope.spawn(move || check(limit, present_under(limit)));
        }
    });
}

#[test]
fn a_few_open_files_are_enough() {
    check_all(["ulimit -n 10", "ulimit -n 12", "ulimit -n 20"], |limit, finished| {
        assert_eq!(finished.status.code(), Some(0), "{limit}: {}", finished.said());
        assert!(finished.stdout.contains("ready on 2 of 2"), "{limit}: {}", finished.said());
    });
}

/// Below four not even the C library is found.
#[test]
fn too_few_open_files_end_in_order() {
    check_all(["ulimit -n 4", "ulimit -n 5", "ulimit -n 6"], |limit, finished| assert_orderly(&finished, limit));
}

#[test]
fn a_file_that_may_not_grow_is_no_end() {
    check_all(["ulimit -f 0", "ulimit -f 1"], |limit, finished| {
        // What the program says goes into files here, and they may not grow either.
        assert_eq!(finished.status.code(), Some(0), "{limit}: {}", finished.said());
    });
}

/// A thread that gets its stack, but not what the standard library wants besides, panics there before it begins.
fn assert_no_panic_of_ours(said: &str, limit: &str) {
    assert!(!said.contains("panicked") || said.contains("alternative stack"), "{limit}: {said}");
}

#[test]
fn little_memory_leaves_nothing_unknown() {
    // Whether it is enough depends on the build and the C library; that nothing is left behind does not.
    check_all(["ulimit -v 24000", "ulimit -v 40000", "ulimit -v 65536"], |limit, finished| {
        assert_no_panic_of_ours(&finished.said(), limit);
    });
}

#[test]
fn a_doctor_without_threads_says_so() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_RESOLVERS", "127.255.255.1:9");
    for limit in ["ulimit -v 30000", "ulimit -v 36000", "ulimit -v 42000"] {
        let finished = shell(&env, &format!("{limit}; exec ipv64-acme doctor name.ipv64.net example.com"));
        let said = finished.said();
        // Memory that lasts for no thread may not last for what comes after it, nor for the C library.
        let reasons = [
            "state directory",
            "cannot start a thread",
            "cannot check several things",
            "memory allocation",
            "loading shared libraries",
        ];
        assert!(reasons.iter().any(|reason| said.contains(reason)), "{limit}: {said}");
        assert_no_panic_of_ours(&said, limit);
    }
}
