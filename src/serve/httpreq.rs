//! The dialect of lego's `httpreq` and of acmeproxy: `/present` and `/cleanup` with JSON in two modes, keys in any case, or
//! form-encoded. One answer satisfies all who speak it: exactly 200, JSON, name and value as they were sent.

use std::fmt;
use std::time::Duration;

use serde::Deserializer as _;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

use super::Goal;
use super::dialect::{Asked, Malformed, Problem, digest, name, pending};
use crate::challenge::{Challenge, TxtValue};

/// The time for an answer: lego waits for 30 seconds.
const PATIENCE: Duration = Duration::from_secs(25);
/// The same in the form-encoded mode: certbot-lego-httpreq waits for 5 seconds.
const FORM_PATIENCE: Duration = Duration::from_secs(4);
const FORM: &str = "application/x-www-form-urlencoded";

/// Reads a request. `media_type` is in lower case, without parameters.
///
/// # Errors
/// [`Malformed`]
pub fn read(media_type: Option<&str>, body: &[u8]) -> Result<Asked, Malformed> {
    let is_form = match media_type {
        None | Some("application/json") => false,
        // curl and wget send this type with every body, also with the JSON of acme.sh.
        Some(FORM) => !body.trim_ascii_start().starts_with(b"{"),
        Some(_) => return Err(Malformed::ContentType),
    };
    let fields = if is_form { Fields::of_form(body) } else { Fields::of_json(body) }?;
    let within = if is_form { FORM_PATIENCE } else { PATIENCE };
    let (challenge, sent_name) = fields.challenge()?;
    Ok(Asked { challenge, program: "httpreq".to_owned(), sent_name, goal: Goal::Ready, within })
}

/// Returns the body for what was done, or still goes on.
#[must_use]
pub fn done(asked: &Asked, is_pending: bool) -> Value {
    pending(json!({ "fqdn": asked.sent_name, "value": asked.challenge.value }), is_pending)
}

/// Returns the body for what was not done.
#[must_use]
pub fn problem(problem: Problem) -> Value {
    json!({ "error": problem.words() })
}

/// The fields that mean something.
#[derive(Debug, Default)]
struct Fields {
    fqdn: Option<String>,
    value: Option<String>,
    domain: Option<String>,
    token: Option<String>,
    keyauth: Option<String>,
}

impl Fields {
    fn of_json(body: &[u8]) -> Result<Self, Malformed> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let fields = json.deserialize_map(Self::default()).map_err(|_| Malformed::Document)?;
        json.end().map_err(|_| Malformed::Document)?;
        Ok(fields)
    }

    fn of_form(body: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for (key, value) in form_urlencoded::parse(body) {
            if let Some(field) = fields.field(&key) {
                put(field, value.into_owned()).ok_or(Malformed::Document)?;
            }
        }
        Ok(fields)
    }

    /// The place of a field. Caddy's client writes `FQDN` and `Value`.
    fn field(&mut self, key: &str) -> Option<&mut Option<String>> {
        match key.to_ascii_lowercase().as_str() {
            "fqdn" => Some(&mut self.fqdn),
            "value" => Some(&mut self.value),
            "domain" => Some(&mut self.domain),
            "token" => Some(&mut self.token),
            "keyauth" => Some(&mut self.keyauth),
            _ => None,
        }
    }

    /// The challenge, and the full name as it was sent.
    fn challenge(self) -> Result<(Challenge, String), Malformed> {
        match self {
            Self { fqdn: Some(fqdn), value: Some(value), domain: None, keyauth: None, .. } => {
                Ok((Challenge { name: name(&fqdn)?, value: digest(&value)? }, fqdn))
            }
            Self { fqdn: None, value: None, domain: Some(domain), token: Some(_), keyauth: Some(keyauth) } => {
                let value = TxtValue::from_key_authorization(&keyauth).map_err(|_| Malformed::Value)?;
                let challenge = Challenge::for_identifier(&name(&domain)?, value).map_err(|_| Malformed::Name)?;
                let fqdn = format!("{}.", challenge.name);
                Ok((challenge, fqdn))
            }
            _ => Err(Malformed::Document),
        }
    }
}

/// Fills a field; nothing if it was there: two readers could take different ones.
fn put(field: &mut Option<String>, value: String) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

impl<'de> Visitor<'de> for Fields {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match self.field(&key) {
                Some(field) => put(field, map.next_value()?).ok_or_else(|| A::Error::custom("a key is there twice"))?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
