//! Hosts around the simulation: network name spaces, each joined by a cable (a pair of veth devices) to the one that the caller
//! moves into. A host is kept by a process that ends with this one, whatever way that ends; nothing of it has a name in the system.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// The commands that a host is made with, IPv6 where the system has it. Only where the loopback device is up is 127.0.0.0/8 the host's own: elsewhere it may be
/// at the other end of a cable.
const LOOPBACK: &str = "ip link set lo up";
const ROUTE_LOOPBACK: &str = "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet";
const CABLE: &str = r#"
ip link add "near$2" type veth peer name far netns "$1"
ip address add 10.64.0.1 peer "10.64.0.$2" dev "near$2"
ip link set "near$2" up
ip address add fd64::1/128 dev "near$2" nodad && ip route add "fd64::$2" dev "near$2" || :
exec nsenter -n -t "$1" sh -ec '
  ip address add "10.64.0.$1/24" dev far
  ip address add "fd64::$1/64" dev far nodad || :
  ip link set far up
  ip route add 127.0.0.0/8 via 10.64.0.1
' sh "$2"
"#;

/// A network in which only the hosts are that are added to it. The calling thread is its first host until this is dropped, with
/// all that the thread starts.
#[derive(Debug)]
pub struct Network {
    /// Where the thread comes from.
    before: File,
    hosts: u8,
}

impl Network {
    /// The address of the first host.
    pub const FIRST: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 1);
    /// Its IPv6 address.
    pub const FIRST_V6: Ipv6Addr = ipv6(1);

    /// Makes a network and moves the calling thread into it. What listened before stays where it is.
    ///
    /// # Errors
    /// What the system says where this user may not make name spaces, or where `unshare` or `ip` is not there.
    pub fn enter() -> io::Result<Self> {
        let before = File::open("/proc/thread-self/ns/net")?;
        let first = Keeper::start(LOOPBACK)?;
        move_into(&File::open(format!("/proc/{}/ns/net", first.0.id()))?)?;
        Ok(Self { before, hosts: 1 })
    }

    /// Adds a host that reaches the first one by a cable, loopback addresses of it included: what listens there on 127.0.0.1 is
    /// there for this host too.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub fn add_host(&mut self) -> io::Result<Host> {
        self.hosts += 1;
        let keeper = Keeper::start("")?;
        let (process, number) = (keeper.0.id().to_string(), self.hosts.to_string());
        let laid = Command::new("sh").args(["-ec", CABLE, "sh", &process, &number]).stdin(Stdio::null()).output()?;
        if !laid.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&laid.stderr).trim().to_owned()));
        }
        Ok(Host { keeper, number: self.hosts })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        move_into(&self.before).ok();
    }
}

/// A host of a [`Network`]. When this is dropped, it goes with its last process.
#[derive(Debug)]
pub struct Host {
    keeper: Keeper,
    number: u8,
}

impl Host {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 64, 0, self.number)
    }

    /// Its IPv6 address.
    #[must_use]
    pub fn address_v6(&self) -> Ipv6Addr {
        ipv6(self.number)
    }

    /// Returns a command that runs here what another one would run where this thread is: with its folder, and with no variables
    /// but those that it was given.
    #[must_use]
    pub fn command(&self, command: &Command) -> Command {
        let mut here = Command::new("nsenter");
        here.args(["-n", "-t", &self.keeper.0.id().to_string(), "--"])
            .arg(command.get_program())
            .args(command.get_args());
        here.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            here.current_dir(folder);
        }
        here
    }
}

const fn ipv6(host: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd64, 0, 0, 0, 0, 0, 0, host as u16)
}

/// The process that keeps a name space. It ends with its input, and not with an interrupt on the terminal: what runs on the host
/// needs the network until it has ended too.
#[derive(Debug)]
struct Keeper(Child);

impl Keeper {
    fn start(set_up: &str) -> io::Result<Self> {
        let script = format!("{ROUTE_LOOPBACK}\n{set_up}\necho\nexec cat");
        let mut command = Command::new("unshare");
        command
            .args(["--net", "sh", "-ec", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0);
        let mut keeper =
            Self(command.spawn().map_err(|error| io::Error::other(format!("cannot run `unshare`: {error}")))?);
        let mut ready = String::new();
        BufReader::new(keeper.0.stdout.as_mut().ok_or(ErrorKind::BrokenPipe)?).read_line(&mut ready)?;
        if ready.is_empty() {
            let mut problem = String::new();
            BufReader::new(keeper.0.stderr.as_mut().ok_or(ErrorKind::BrokenPipe)?).read_line(&mut problem)?;
            return Err(io::Error::other(problem.trim().to_owned()));
        }
        Ok(keeper)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

#[cfg(target_os = "linux")]
fn move_into(name_space: &File) -> io::Result<()> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    use std::os::fd::AsFd as _;
    Ok(move_into_link_name_space(name_space.as_fd(), Some(LinkNameSpaceType::Network))?)
}

#[cfg(not(target_os = "linux"))]
fn move_into(_: &File) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}
