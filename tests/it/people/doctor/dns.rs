//! One domain in DNS: delegation, aliases, DNSSEC, CAA.

use ipv64_acme::sim::{
    Account, Config, ForeignZone, NamedBy, ResolverMode, ResolverSettings, Secured, StaticRecord, ZoneCut,
};

use super::{examine, has, has_not, says, with_account, with_domains};
use crate::support::environment::TestEnvironment;

/// The default world with one more foreign zone.
fn with_zone(apex: &str, records: Vec<StaticRecord>) -> TestEnvironment {
    let mut config = Config::default();
    config.foreign_zones.push(ForeignZone { apex: apex.into(), records });
    TestEnvironment::with(config)
}

#[test]
fn a_domain_that_is_delegated_elsewhere_ends_with_5() {
    let env = with_domains(&["foreign.example"]);
    let findings = examine(&env, &["www2.foreign.example"], 5);
    says(
        &has(&findings, "delegation", "error"),
        &["not served by IPv64, but by ns.foreign.example", "ns1.ipv64.net and ns2.ipv64.net"],
    );
}

#[test]
fn a_domain_that_is_delegated_half_is_a_warning() {
    let mut config = Config { accounts: vec![Account::default()], ..Config::default() };
    config.accounts[0].domains.push("half.org".into());
    // The parent names ours, and the zone names a foreign one besides.
    config.accounts[0].records.push(StaticRecord::new("half.org", "NS", "ns.foreign.example"));
    let findings = examine(&TestEnvironment::with(config), &["half.org"], 0);
    says(
        &has(&findings, "delegation", "warning"),
        &["ns.foreign.example, ns1.ipv64.net, ns2.ipv64.net, which are not all of IPv64", "registrar"],
    );
}

#[test]
fn a_server_that_only_one_side_of_the_delegation_names_is_told() {
    for (named_by, words) in [
        (NamedBy::Parent, "only its delegation names ns2.ipv64.net"),
        (NamedBy::Child, "only the zone itself names ns2.ipv64.net"),
    ] {
        let mut config = Config::default();
        config.name_servers[1].named_by = named_by;
        let findings = examine(&TestEnvironment::with(config), &["name.ipv64.net"], 0);
        says(&has(&findings, "delegation_differs", "warning"), &[words, "all of them have to be ready"]);
        assert_eq!(findings.iter().filter(|it| it["kind"] == "server").count(), 2, "{findings:#?}");
    }
}

#[test]
fn a_domain_that_is_not_registered_is_told_and_nothing_after_it() {
    for (domain, words) in [("nobody.example", "no zone for it below `example`"), ("nobody.nowhere", "no zone for it")]
    {
        let findings = examine(&with_domains(&["name.ipv64.net"]), &[domain], 7);
        says(&has(&findings, "no_zone", "error"), &[words, "spelling"]);
        assert_eq!(findings[0]["kind"], "no_zone", "what to do first: {findings:#?}");
        ["zone", "caa", "dnssec", "server"].iter().for_each(|kind| has_not(&findings, kind));
    }
}

#[test]
fn a_zone_of_its_own_is_found_below_the_suffix() {
    let env = TestEnvironment::with(Config { zone_cut: ZoneCut::PerDomain, ..Config::default() });
    let findings = examine(&env, &["www.name.ipv64.net"], 0);
    says(&has(&findings, "delegation", "ok"), &["zone `name.ipv64.net`"]);
    says(&has(&examine(&TestEnvironment::new(), &["name.ipv64.net"], 0), "delegation", "ok"), &["zone `ipv64.net`"]);
}

#[test]
fn name_servers_of_the_settings_are_noted() {
    let mut env = TestEnvironment::new();
    let server = env.sim.addresses("ns1.ipv64.net")[0].ip().to_string();
    env.set("IPV64_NAMESERVERS", &server);
    says(&has(&examine(&env, &["name.ipv64.net"], 0), "zone", "note"), &["IPV64_NAMESERVERS"]);
}

#[test]
fn resolvers_that_fail_are_told_and_gone_around() {
    let env = TestEnvironment::new();
    for mode in [ResolverMode::ServFail, ResolverMode::NoSoa] {
        let settings = ResolverSettings { mode, ..ResolverSettings::default() };
        env.sim.set_resolver("system", &settings).unwrap();
        let findings = examine(&env, &["name.ipv64.net"], 0);
        says(&has(&findings, "resolvers", "warning"), &["the root servers did", "IPV64_RESOLVERS"]);
    }
}

#[test]
fn traps_of_aliases_are_told() {
    let env = TestEnvironment::new();
    let text = has(&examine(&env, &["loop.foreign.example"], 6), "cname_loop", "error");
    says(&text, &["-> back.foreign.example ->", "has no CNAME record itself"]);
    let text = has(&examine(&env, &["x.wild.foreign.example"], 7), "alias_doubtful", "warning");
    says(&text, &["only by a wildcard", "for the challenge name alone"]);
    let text = has(&examine(&env, &["www.foreign.example"], 0), "alias", "ok");
    says(&text, &["-> hop.foreign.example ->"]);
}

#[test]
fn a_chain_without_end_is_told_though_one_server_holds_all_of_it() {
    let name =
        |hop: usize| if hop == 0 { "_acme-challenge.long.example".into() } else { format!("h{hop}.long.example") };
    let records = (0..20).map(|hop| StaticRecord::new(&name(hop), "CNAME", &name(hop + 1))).collect();
    let findings = examine(&with_zone("long.example", records), &["long.example"], 6);
    says(&has(&findings, "cname_too_long", "error"), &["longer than 12", "h12.long.example -> h13.long.example"]);
}

#[test]
fn a_text_beside_an_alias_is_told() {
    let name = "_acme-challenge.both.example";
    let records = vec![
        StaticRecord::new(name, "CNAME", "_acme-challenge.name.ipv64.net"),
        StaticRecord::new(name, "TXT", "an old value"),
    ];
    let findings = examine(&with_zone("both.example", records), &["both.example"], 0);
    says(&has(&findings, "alias_doubtful", "warning"), &["a TXT record next to its CNAME", "remove the one"]);
}

#[test]
fn a_signed_zone_has_to_hold_what_its_parent_says() {
    let findings = |secured: &[Secured], code| {
        let secured = secured.iter().map(|secured| ("example.com".to_owned(), *secured)).collect();
        examine(&TestEnvironment::with(Config { secured, ..Config::default() }), &["example.com"], code)
    };
    says(&has(&findings(&[], 0), "dnssec", "ok"), &["`example.com` is not signed"]);
    says(&has(&findings(&[Secured::Signed], 0), "dnssec", "ok"), &["`example.com` is signed"]);
    let unsigned = findings(&[Secured::Unsigned], 5);
    says(&has(&unsigned, "dnssec", "error"), &["a DS record at its parent, but no keys", "remove the DS record"]);
    has_not(&unsigned, "resolvers");
    let broken = findings(&[Secured::Broken], 5);
    says(&has(&broken, "dnssec", "error"), &["its signatures are not valid", "sign it again"]);
}

#[test]
fn a_rule_against_the_ca_is_told_with_the_record_to_add() {
    let rule = |name: &str, content: &str| StaticRecord::new(name, "CAA", content);
    let env = with_account(|account| {
        account.records.push(rule("example.com", "0 issue \"ca.example\""));
        account.records.push(rule("name.ipv64.net", "0 issue \"letsencrypt.org; accounturi=https://ca.example/7\""));
        account.records.push(rule("other.home64.de", "0 issue \"letsencrypt.org\""));
        account.records.push(rule("other.home64.de", "0 issuewild \"letsencrypt.org; validationmethods=http-01\""));
        account.records.push(rule("deep.sub.example.org", "128 tbs \"x\""));
    });
    let caa = |domain, kind, level| has(&examine(&env, &[domain], 0), kind, level);
    let text = caa("a.www.example.com", "caa_forbids", "warning");
    says(&text, &["of `example.com` do not allow", "\"ca.example\"", "add the CAA record", "letsencrypt.org"]);
    says(&caa("name.ipv64.net", "caa_account", "note"), &["https://ca.example/7 only", "certbot show_account"]);
    says(&caa("other.home64.de", "caa", "ok"), &["allow Let's Encrypt"]);
    says(&caa("*.other.home64.de", "caa_forbids", "warning"), &["with dns-01", "0 issuewild"]);
    says(&caa("deep.sub.example.org", "caa_forbids", "warning"), &["`tbs`", "remove that record"]);
}

#[test]
fn rules_that_nobody_tells_are_a_warning() {
    let env = TestEnvironment::new();
    let settings = ResolverSettings { mode: ResolverMode::Silent, ..ResolverSettings::default() };
    env.sim.set_resolver("system", &settings).unwrap();
    let findings = examine(&env, &["name.ipv64.net"], 0);
    says(&has(&findings, "caa_unknown", "warning"), &["no answer", "does not issue", "check the resolvers"]);
}
