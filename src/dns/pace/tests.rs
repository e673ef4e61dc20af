use super::*;

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 53);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The most moments within a span.
fn busiest(sent: &[Instant], span: Duration) -> usize {
    let within = |first: &Instant| sent.iter().filter(|at| *at >= first && at.duration_since(*first) < span).count();
    sent.iter().map(within).max().unwrap_or_default()
}

/// Sends whatever may be sent when it is asked for, the first time that it may.
fn send(pace: &Arc<Pace>, at: Instant) -> Instant {
    let mut now = at;
    loop {
        if let Some(permit) = pace.try_take(SERVER, now) {
            permit.sent(now);
            return now;
        }
        let next = pace.next_free(SERVER.ip(), now);
        assert!(next > now, "no permit, but the next one is free");
        now = next;
    }
}

#[test]
fn never_more_than_the_limits() {
    let pace = Arc::new(Pace::default());
    let start = Instant::now();
    // Bursts, pauses, a steady trickle, all at once.
    let bursts = [(0, 20), (10, 1), (1200, 3), (1900, 2), (2100, 30), (9000, 13), (9500, 13), (13_000, 40)];
    let mut now = start;
    let mut sent = Vec::new();
    for (at, count) in bursts {
        for _ in 0..count {
            now = send(&pace, now.max(start + ms(at)));
            sent.push(now);
        }
    }
    assert!(busiest(&sent, ms(1000)) <= 14 && busiest(&sent, ms(3000)) <= 18, "{sent:?}");
    assert_eq!(sent[13], start, "the first ones are free");
    assert!(sent[14] > start + ms(1000));
    assert!(sent[18] > start + ms(3000));
}

#[test]
fn a_confirming_burst_fits_beside_a_query_each_half_second() {
    let pace = Arc::new(Pace::default());
    let start = Instant::now();
    for half_second in 0..8 {
        let at = start + ms(500) * half_second;
        assert_eq!(send(&pace, at), at);
    }
    for at in [3530, 3830] {
        for _ in 0..6 {
            assert_eq!(send(&pace, start + ms(at)), start + ms(at));
        }
    }
}

#[test]
fn addresses_do_not_share() {
    let pace = Arc::new(Pace::default());
    let now = Instant::now();
    let permits: Vec<_> = (0..20).map(|last| pace.try_take(([192, 0, 2, last], 53).into(), now)).collect();
    assert!(permits.iter().all(Option::is_some));
    let ports: Vec<_> = (0..20).map(|port| pace.try_take((SERVER.ip(), port).into(), now)).collect();
    assert_eq!(ports.iter().flatten().count(), 13, "those of one address do, whatever the port");
}

#[test]
fn a_permit_counts_until_it_is_used_or_given_back() {
    let pace = Arc::new(Pace::default());
    let start = Instant::now();
    let mut permits: Vec<_> = (0..14).map(|_| pace.try_take(SERVER, start).unwrap()).collect();
    let later = start + ms(60_000);
    assert!(pace.try_take(SERVER, later).is_none(), "however long a query takes to leave");
    assert_eq!(pace.next_free(SERVER.ip(), later), later + LIMITS[0].1);
    drop(permits.pop());
    assert_eq!(pace.free(SERVER.ip(), later), 1);
    permits.into_iter().for_each(|permit| permit.sent(later));
    assert_eq!(pace.free(SERVER.ip(), later), 1, "each was counted once");
    assert_eq!(pace.free(SERVER.ip(), later + LIMITS[0].1), 5);
    assert_eq!(pace.free(SERVER.ip(), later + LIMITS[1].1), 14);
}

#[test]
fn who_waits_is_woken_by_a_permit_that_comes_back() {
    let pace = Arc::new(Pace::default());
    let mut permits: Vec<_> = (0..14).map(|_| pace.try_take(SERVER, Instant::now()).unwrap()).collect();
    assert!(pace.wait(SERVER, Instant::now() + ms(20)).is_none());
    let start = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| pace.wait(SERVER, start + ms(60_000)).is_some());
        drop(permits.pop());
        assert!(waiting.join().unwrap());
    });
    assert!(start.elapsed() < LIMITS[0].1);
}

#[test]
fn who_waits_comes_in_the_order_of_arrival() {
    let pace = Arc::new(Pace::default());
    let permits: Vec<_> = (0..14).map(|_| pace.try_take(SERVER, Instant::now()).unwrap()).collect();
    let order = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in 0..14 {
            let (pace, order) = (&pace, &order);
            scope.spawn(move || {
                let permit = pace.wait(SERVER, Instant::now() + ms(60_000));
                // Kept: one that comes back lets the next one go too, and the two would race.
                order.lock().unwrap().push((number, permit));
            });
            while pace.lock()[&SERVER.ip()].waiting.len() <= number {
                std::thread::yield_now();
            }
        }
        // One at a time, so that each is done before the next one may go.
        for (done, permit) in permits.into_iter().enumerate() {
            drop(permit);
            while order.lock().unwrap().len() <= done {
                std::thread::yield_now();
            }
        }
    });
    let order: Vec<_> = order.into_inner().unwrap().into_iter().map(|(number, _)| number).collect();
    assert_eq!(order, (0..14).collect::<Vec<_>>());
}

#[test]
fn who_polls_lets_who_waits_go_first_but_for_every_other_query() {
    let (pace, now) = (Arc::new(Pace::default()), Instant::now());
    let queries = |change: &dyn Fn(&mut Queries)| change(pace.lock().entry(SERVER.ip()).or_default());
    assert!(pace.try_take(SERVER, now).is_some(), "nobody waits");
    queries(&|queries| queries.waiting.push_back(1));
    assert!(pace.try_take(SERVER, now).is_none(), "the last one was a poll");
    assert_eq!(pace.free(SERVER.ip(), now), 0);
    assert!(pace.next_free(SERVER.ip(), now) > now, "nobody asks in a circle");
    queries(&|queries| queries.waiting.clear());
    assert!(pace.wait(SERVER, now + ms(60_000)).is_some());
    queries(&|queries| queries.waiting.push_back(1));
    assert!(pace.try_take(SERVER, now).is_some(), "a poll's turn");
    assert!(pace.try_take(SERVER, now).is_none());
    queries(&|queries| queries.waiting.clear());
    assert!(pace.try_take(SERVER, now).is_some());
}

#[test]
fn only_addresses_that_were_asked_lately_take_memory() {
    let (pace, start) = (Arc::new(Pace::default()), Instant::now());
    let held = pace.try_take(SERVER, start).unwrap();
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        let now = start + ms(100) * u32::from(number);
        pace.try_take(SocketAddr::from(([198, 51, high, low], 53)), now).unwrap().sent(now);
    }
    assert!(pace.lock().len() < 40, "those of 3.1 s, and the one whose permit is out");
    assert_eq!(pace.lock()[&SERVER.ip()].permits, 1);
    drop(held);
}
