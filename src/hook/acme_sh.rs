//! acme.sh, Proxmox and OpenWrt: the shell functions in `hooks/dns_ipv64_acme.sh` call `present` and `cleanup` as [`super::lego`]
//! reads them.

use super::Convention;

/// acme.sh.
pub const CONVENTION: Convention = Convention {
    name: "acme.sh",
    page: "acme-sh",
    setting: "the file dns_ipv64_acme.sh in the folder dnsapi; Proxmox takes the same file",
    programs: &["acme.sh"],
    paths: &["~/.acme.sh/acme.sh"],
    lines: &[
        "cp {share}/dns_ipv64_acme.sh {here}/dnsapi/",
        "IPV64_PROPAGATION_TIMEOUT=180 acme.sh --issue --dns dns_ipv64_acme --dnssleep 1 -d DOMAIN -d '*.DOMAIN'",
    ],
    note: "acme.sh finds dns_ipv64_acme.sh in its folder dnsapi",
    ..Convention::UNKNOWN
};
