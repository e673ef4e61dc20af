//! What the HTTP side shares with the owner of the simulation, and what both can do with it.

use std::{net::SocketAddr, sync::Arc};

use super::{
    Config, ResolverSettings, ServerSettings, SimError,
    api::Api,
    faults::Faults,
    limits::{ApiAccount, Counters},
    resolver::Resolver,
    seed,
    server::Server,
    store::Holdings,
    world::World,
};

/// What the HTTP side shares with the owner of the simulation.
pub(super) struct Shared {
    pub(super) world: Arc<World>,
    pub(super) api: Api,
    pub(super) name_servers: Arc<[Arc<Server>]>,
    pub(super) resolvers: Vec<Arc<Resolver>>,
    pub(super) config: Config,
    pub(super) api_address: SocketAddr,
    pub(super) dns_port: u16,
}

impl Shared {
    pub(super) fn api_url(&self) -> String {
        format!("http://{}/api", self.api_address)
    }

    pub(super) fn doh_url(&self) -> String {
        format!("http://{}/dns-query", self.api_address)
    }

    pub(super) fn env(&self) -> Vec<(String, String)> {
        let roots: Vec<_> = self.world.hierarchy.root.addresses.iter().map(ToString::to_string).collect();
        let key = self.api.accounts.first().map(|account| account.key.clone());
        let resolver = self.resolvers.first().map(|resolver| resolver.address.to_string());
        [
            ("IPV64_API_URL", self.api_url()),
            ("IPV64_API_KEY", key.unwrap_or_default()),
            ("IPV64_RESOLVERS", resolver.unwrap_or_default()),
            ("IPV64_NAMESERVER_PORT", self.dns_port.to_string()),
            ("IPV64_ROOT_SERVERS", roots.join(",")),
            // Nothing that uses the simulation is to leave the machine.
            ("IPV64_DOH", "off".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    pub(super) fn doh_resolver(&self) -> Option<&Resolver> {
        let named = self.resolvers.iter().find(|resolver| resolver.name == "doh");
        named.or_else(|| self.resolvers.first()).map(|resolver| &**resolver)
    }

    /// Makes everything as at the start.
    pub(super) fn reset(&self) -> Result<(), SimError> {
        self.api.faults.clear();
        for account in &self.api.accounts {
            account.counters.reset(self.config.limits);
        }
        for server in &*self.name_servers {
            server.reset();
        }
        for resolver in &self.resolvers {
            let wanted = self.config.resolvers.iter().find(|(name, _)| *name == resolver.name);
            resolver.set(wanted.map(|(_, settings)| settings.clone()).unwrap_or_default());
        }
        let mut holdings = Holdings::default();
        seed::fill(&mut holdings, &self.config)?;
        *self.world.store.hold() = holdings;
        self.order_lookup_faults();
        self.world.log.clear();
        Ok(())
    }

    /// Begins the faults of the configuration, and no others.
    pub(super) fn order_lookup_faults(&self) {
        self.world.lookups.clear();
        for fault in &self.config.lookup_faults {
            self.world.lookups.order(fault.clone());
        }
    }

    pub(super) fn servers<'a>(&'a self, which: &'a str) -> impl Iterator<Item = &'a Arc<Server>> {
        let is_it = move |server: &&Arc<Server>| server.name == which || server.address.ip().to_string() == which;
        self.name_servers.iter().filter(is_it)
    }

    pub(super) fn resolvers<'a>(&'a self, which: &'a str) -> impl Iterator<Item = &'a Arc<Resolver>> {
        let is_it =
            move |resolver: &&Arc<Resolver>| resolver.name == which || resolver.address.ip().to_string() == which;
        self.resolvers.iter().filter(is_it)
    }

    pub(super) fn set_server(&self, which: &str, settings: &ServerSettings) -> Result<(), SimError> {
        let servers: Vec<_> = self.servers(which).collect();
        for server in &servers {
            server.set(settings.clone());
        }
        if servers.is_empty() { Err(SimError::Unknown(which.escape_debug().to_string())) } else { Ok(()) }
    }

    pub(super) fn set_resolver(&self, which: &str, settings: &ResolverSettings) -> Result<(), SimError> {
        let resolvers: Vec<_> = self.resolvers(which).collect();
        for resolver in &resolvers {
            resolver.set(settings.clone());
        }
        if resolvers.is_empty() { Err(SimError::Unknown(which.escape_debug().to_string())) } else { Ok(()) }
    }
}

/// The API of a configuration.
pub(super) fn api(config: &Config) -> Api {
    let account = |account: &super::Account| ApiAccount {
        key: account.key.clone(),
        status: config.account_status,
        counters: Counters::new(config.limits),
    };
    Api {
        numbers_as_strings: config.numbers_as_strings,
        faults: Faults::default(),
        accounts: config.accounts.iter().map(account).collect(),
    }
}
