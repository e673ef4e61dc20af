//! All clients of the broker: the folder `clients/`, and who has shown which token. Looking one up takes the same time whether
//! there is such a one or not: all are compared, by hashes, in constant time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use subtle::{Choice, ConditionallySelectable as _};

use super::client_file::{ClientFile, EXTENSION};
use super::confusion;
use super::grant::Grant;
use super::token::TokenHash;
use super::{Ask, Peer};
use crate::error::{Error, Kind};
use crate::excerpt::visible_path;
use crate::name::DnsName;

/// The folder of the clients' files, in that of `serve.toml`.
pub const FOLDER: &str = "clients";

/// The clients that were there when the folder was read.
#[derive(Debug, Default)]
pub struct Clients {
    clients: Vec<Client>,
    accounts: Vec<Account>,
}

#[derive(Debug)]
struct Client {
    grant: Arc<Grant>,
    name: TokenHash,
    tokens: Vec<TokenHash>,
    uid: Option<u32>,
}

#[derive(Debug)]
struct Account {
    grant: Arc<Grant>,
    username: TokenHash,
    key: TokenHash,
    subdomain: TokenHash,
    record: DnsName,
}

impl Clients {
    /// Reads every `NAME.toml` in a folder, and what is wrong with each that cannot be used: its client is unknown, all others
    /// count. A token, a user or an account that two clients have is no good for either. A folder that is not there has none.
    #[must_use]
    pub fn load(folder: &Path) -> (Self, Vec<Error>) {
        let (files, mut errors) = read(folder);
        let shared = Shared::of(&files);
        errors.extend(shared.errors());
        let mut all = Self::default();
        for file in files {
            all.add(file, &shared);
        }
        (all, errors)
    }

    fn add(&mut self, file: ClientFile, shared: &Shared) {
        let ClientFile { grant, mut tokens, uid, acme_dns } = file;
        let grant = Arc::new(grant);
        tokens.retain(|token| !shared.tokens.contains_key(token));
        for account in acme_dns.into_iter().filter(|account| !shared.accounts.contains_key(&account.username)) {
            self.accounts.push(Account {
                grant: Arc::clone(&grant),
                username: TokenHash::of(account.username.as_bytes()),
                key: account.key,
                subdomain: TokenHash::of(account.subdomain.as_bytes()),
                record: account.record,
            });
        }
        let name = TokenHash::of(grant.client.as_bytes());
        let uid = uid.filter(|uid| !shared.users.contains_key(uid));
        self.clients.push(Client { grant, name, tokens, uid });
    }

    /// Returns in words where the aliases of one client undo the protection of another one.
    #[must_use]
    pub fn confusions(&self) -> Vec<String> {
        confusion::among(self.clients.iter().map(|client| &*client.grant))
    }

    /// Returns how many clients there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Returns whether there is no client.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Returns what the client of an earlier request may do now; nothing if it is gone, or what it has shown is no longer good.
    #[must_use]
    pub fn again(&self, ask: &Ask) -> Option<Arc<Grant>> {
        let client = &ask.grant.client;
        let Some(shown) = ask.shown else {
            let Peer::User(uid) = ask.peer else { return None };
            return self.by_user(uid).filter(|grant| grant.client == *client);
        };
        let by_token = self.clients.iter().filter(|one| one.tokens.contains(&shown)).map(|one| &one.grant);
        let by_account = self.accounts.iter().filter(|one| one.key == shown).map(|one| &one.grant);
        by_token.chain(by_account).find(|grant| grant.client == *client).map(Arc::clone)
    }

    /// Returns what the client with a token may do.
    #[must_use]
    pub fn by_token(&self, token: &[u8]) -> Option<Arc<Grant>> {
        let token = TokenHash::of(token);
        only(&self.clients, |client| client.has(&token)).map(|client| Arc::clone(&client.grant))
    }

    /// Returns what the client with a name and a token may do.
    #[must_use]
    pub fn by_name(&self, client: &str, token: &[u8]) -> Option<Arc<Grant>> {
        let (name, token) = (TokenHash::of(client.as_bytes()), TokenHash::of(token));
        let found = only(&self.clients, |client| client.name.is(&name) & client.has(&token));
        found.map(|client| Arc::clone(&client.grant))
    }

    /// Returns what the client with an account of acme-dns may do, and the name of the challenge record of that account.
    #[must_use]
    pub fn by_acme_dns(&self, user: &str, key: &[u8], subdomain: &str) -> Option<(Arc<Grant>, DnsName)> {
        let (user, key) = (TokenHash::of(user.as_bytes()), TokenHash::of(key));
        let subdomain = TokenHash::of(subdomain.as_bytes());
        let found = only(&self.accounts, |account| {
            account.username.is(&user) & account.key.is(&key) & account.subdomain.is(&subdomain)
        });
        found.map(|account| (Arc::clone(&account.grant), account.record.clone()))
    }

    /// Returns what a user of this machine may do without a token, on the Unix socket.
    #[must_use]
    pub fn by_user(&self, uid: u32) -> Option<Arc<Grant>> {
        // The kernel says who it is: that is no secret.
        self.clients.iter().find(|client| client.uid == Some(uid)).map(|client| Arc::clone(&client.grant))
    }
}

impl Client {
    fn has(&self, token: &TokenHash) -> Choice {
        self.tokens.iter().fold(Choice::from(0), |found, own| found | own.is(token))
    }
}

/// Finds the one that matches after comparing all.
fn only<T>(all: &[T], matches: impl Fn(&T) -> Choice) -> Option<&T> {
    let mut found = u64::MAX;
    for (at, one) in (0..).zip(all) {
        found.conditional_assign(&at, matches(one));
    }
    all.get(usize::try_from(found).ok()?)
}

/// Reads the files that can be used, by name, and what is wrong with each of the others.
#[must_use]
pub fn read(folder: &Path) -> (Vec<ClientFile>, Vec<Error>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    match paths(folder) {
        Ok(paths) => {
            for path in paths {
                match ClientFile::read(&path) {
                    Ok(file) => files.push(file),
                    Err(error) => errors.push(error),
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => errors.push(
            Error::new(Kind::ClientUnreadable, format!("cannot list `{}`: {error}", visible_path(folder)))
                .advise("let the user that runs this program read that folder"),
        ),
    }
    (files, errors)
}

/// Returns the paths of all client files in a folder, in order. Hidden files are those of editors, and of a write under way.
///
/// # Errors
/// If the folder cannot be listed.
pub fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let all = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let is_file = |path: &PathBuf| path.extension().is_some_and(|extension| extension == EXTENSION) && !is_hidden(path);
    let mut paths: Vec<_> = all.into_iter().filter(is_file).collect();
    paths.sort();
    Ok(paths)
}

/// Returns an error for each token, user and account that more than one client has.
#[must_use]
pub fn shared(files: &[ClientFile]) -> Vec<Error> {
    Shared::of(files).errors()
}

/// What more than one client has, with the clients: nobody could tell which of them it is.
struct Shared {
    tokens: BTreeMap<TokenHash, BTreeSet<String>>,
    users: BTreeMap<u32, BTreeSet<String>>,
    accounts: BTreeMap<String, BTreeSet<String>>,
}

impl Shared {
    fn of(files: &[ClientFile]) -> Self {
        Self {
            tokens: repeated(files, |file| file.tokens.clone()),
            users: repeated(files, |file| file.uid.into_iter().collect()),
            accounts: repeated(files, |file| file.acme_dns.iter().map(|it| it.username.clone()).collect()),
        }
    }

    fn errors(&self) -> Vec<Error> {
        let names =
            |clients: &BTreeSet<String>| clients.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(" and ");
        let error = |what: &str, clients: &BTreeSet<String>, hint: &str| {
            let problem = format!("the clients {} have the same {what}, so it identifies none of them", names(clients));
            Error::new(Kind::ClientShared, problem).advise(hint)
        };
        let by_token =
            "remove the file that is a copy, or run `ipv64-acme client rotate NAME` for each and then `--drop-old`";
        let by_user = "leave `uid` in one of their files only";
        let by_account = "leave the [[acme_dns]] in one of their files only";
        let tokens = self.tokens.values().map(|clients| error("token", clients, by_token));
        let users = self.users.values().map(|clients| error("uid", clients, by_user));
        let accounts = self.accounts.values().map(|clients| error("account of acme-dns", clients, by_account));
        tokens.chain(users).chain(accounts).collect()
    }
}

fn repeated<T: Ord>(files: &[ClientFile], of: impl Fn(&ClientFile) -> Vec<T>) -> BTreeMap<T, BTreeSet<String>> {
    let mut all = BTreeMap::<T, BTreeSet<String>>::new();
    for file in files {
        for item in of(file) {
            all.entry(item).or_default().insert(file.grant.client.clone());
        }
    }
    all.retain(|_, clients| clients.len() > 1);
    all
}

#[cfg(test)]
mod tests;
