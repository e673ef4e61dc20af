use std::fs;
use std::net::UdpSocket;

use super::*;
use crate::dns::message::RecordType;
use crate::dns::tests as fake;
use crate::name::DnsName;

#[test]
fn name_servers_of_the_system_are_read_whatever_else_is_in_the_file() {
    let text = "# a comment\nsearch odd..name -\n nameserver 192.0.2.1\nnameserver\t2001:db8::1 # the other\n\
                nameserver fe80::1%1\nnameserver nonsense%1\nnameserver\noptions nameserver 192.0.2.2\n";
    let read: Vec<_> = text.lines().filter_map(nameserver).map(|address| address.to_string()).collect();
    assert_eq!(read, ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%1]:53"]);
}

#[test]
fn a_dead_resolver_does_not_use_up_the_time_where_another_one_knows_of_nothing() {
    let dead = UdpSocket::bind("127.0.0.1:0").unwrap();
    let alive = fake::serve("127.0.0.1:0", |_, _, reply| reply);
    let resolvers = [dead.local_addr().unwrap(), alive].map(Resolver::Plain).to_vec();
    let set = Recursive::new(resolvers, fake::no_post());
    let question = Question::recursive(&DnsName::parse("a.example").unwrap(), RecordType::SOA);
    let start = Instant::now();
    let outcome = set.ask(&question, start + Duration::from_secs(60), Reply::has_answers);
    assert!(outcome.is_err());
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_file_of_the_system_that_is_odd_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resolv.conf");
    let read = |text: &[u8]| {
        std::fs::write(&file, text).unwrap();
        resolvers_in(&file).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(read(b""), [""; 0]);
    assert_eq!(read(b"options use-vc unknown ndots:x\r\nnameserver 192.0.2.1\r\n"), ["192.0.2.1"]);
    assert_eq!(read(b"search --. \xff\nnameserver 192.0.2.1"), ["192.0.2.1"]);
    let huge = [b"nameserver 192.0.2.1\n".as_slice(), &vec![b'#'; 1 << 20], b"\nnameserver 192.0.2.2\n"].concat();
    assert_eq!(read(&huge), ["192.0.2.1"]);
    assert!(resolvers_in(&folder.path().join("none")).is_err());
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(resolvers_in(&pipe).is_err());
}

#[test]
fn a_file_that_names_resolvers_late_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resolv.conf");
    let set = Recursive { source: Source::File(file.clone()), post: fake::no_post() };
    assert!(set.resolvers().is_empty());
    for (text, count) in [("", 0), ("nameserver 192.0.2.1\n", 1)] {
        fs::write(&file, text).unwrap();
        assert_eq!(set.resolvers().len(), count, "{text:?}");
    }
}
