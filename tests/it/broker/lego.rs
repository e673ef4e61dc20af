//! Real lego gets certificates through a broker on another host, with no key and no program of ours on its side.

use ipv64_acme::sim::{CallKind, Config};

use super::server::{Broker, certificate, client, configure_in, tls_on};
use crate::support::certificate::{assert_issued_by, names};
use crate::support::network::TwoHosts;
use crate::support::process;
use crate::support::programs;
use crate::support::stage::Stage;

/// Gets a certificate for a domain and its wildcard with these further variables.
fn obtains(more: &[(&str, &str)]) {
    let hosts = TwoHosts::enter();
    let stage = Stage::start(Config::default());
    let folder = configure_in(&stage.path("broker"), &tls_on(hosts.far()));
    certificate(&folder, "broker", (2020, 2040));
    let token = client(&folder, &format!("from = ['{}']\n", hosts.near()));
    let mut serve = stage.command(programs::hook());
    serve.arg("serve").arg("--config-dir").arg(&folder);
    let broker = Broker::run_in(&folder, &mut hosts.move_to_far(serve));
    let mut lego = stage.command(programs::system("lego"));
    lego.env_remove("IPV64_API_KEY").env_remove("IPV64_API_URL");
    lego.env("HTTPREQ_ENDPOINT", format!("https://{}", broker.told("listening on https://")));
    lego.env("HTTPREQ_USERNAME", "web").env("HTTPREQ_PASSWORD", token).envs(more.iter().copied());
    lego.env("SSL_CERT_FILE", folder.join("cert.pem"));
    lego.env("LEGO_PATH", stage.path("lego")).env("LEGO_CA_CERTIFICATES", stage.pebble.server_certificate());
    lego.arg("--server").arg(stage.pebble.directory()).args(["--accept-tos", "--email", "you@example.com"]);
    lego.args([
        "--dns",
        "httpreq",
        "--dns.disable-cp",
        "--dns.resolvers",
        &stage.sim.addresses("system")[0].to_string(),
    ]);
    let finished = process::run(lego.args(["-d", "name.ipv64.net", "-d", "*.name.ipv64.net", "run"]));
    assert!(finished.status.success(), "{}\n{}", finished.said(), broker.said());
    let chain = stage.path("lego/certificates/name.ipv64.net.crt");
    assert_eq!(names(&chain), ["*.name.ipv64.net", "name.ipv64.net"].map(str::to_owned).into());
    assert_issued_by(&stage.pebble.root(), &chain);
    let count = |kind| stage.sim.api_calls().iter().filter(|call| call.call == Some(kind)).count();
    assert_eq!((count(CallKind::AddRecord), count(CallKind::DelRecord)), (2, 2));
    let left = stage.sim.records_left();
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
#[ignore = "needs pebble and lego: run tests/run"]
fn default() {
    obtains(&[]);
}

#[test]
#[ignore = "needs pebble and lego: run tests/run"]
fn raw() {
    obtains(&[("HTTPREQ_MODE", "RAW")]);
}
