//! IPv64's spelling: the names of calls, parameters and fields, and the form in which they travel.
//! With [`answers`], the only place that says `praefix`. What an answer means for the caller is left to [`super::answer`].

mod answers;

use crate::http::Method;
use crate::name::DnsName;

use super::CallKind;
use super::models::RecordSpec;

pub(super) use answers::{Envelope, account, domains, logs};

/// One call with what it is about.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    /// The account of the key.
    Account,
    /// The account's log.
    Logs,
    /// All domains with their records.
    Domains,
    /// Adds a domain to the account.
    AddDomain(&'a DnsName),
    /// Deletes a domain with all its records.
    DeleteDomain(&'a DnsName),
    /// Adds a record.
    AddRecord(&'a RecordSpec),
    /// Deletes the record with exactly this name, type and content.
    DeleteRecord(&'a RecordSpec),
    /// Deletes the record with this number.
    DeleteRecordById(u64),
}

impl Call<'_> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Account => "get_account_info",
            Self::Logs => "get_logs",
            Self::Domains => "get_domains",
            Self::AddDomain(_) => "add_domain",
            Self::DeleteDomain(_) => "del_domain",
            Self::AddRecord(_) => "add_record",
            Self::DeleteRecord(_) | Self::DeleteRecordById(_) => "del_record",
        }
    }

    pub(super) fn method(&self) -> Method {
        match self.kind() {
            CallKind::Read => Method::Get,
            CallKind::Addition => Method::Post,
            CallKind::Removal => Method::Delete,
        }
    }

    pub(super) fn kind(&self) -> CallKind {
        match self {
            Self::Account | Self::Logs | Self::Domains => CallKind::Read,
            Self::AddDomain(_) | Self::AddRecord(_) => CallKind::Addition,
            Self::DeleteDomain(_) | Self::DeleteRecord(_) | Self::DeleteRecordById(_) => CallKind::Removal,
        }
    }

    /// Whether the call may be sent again although the first one may have been acted on: an added or deleted record is
    /// told by the second answer, a domain is not.
    pub(super) fn is_repeatable(&self) -> bool {
        !matches!(self, Self::AddDomain(_) | Self::DeleteDomain(_))
    }

    /// The parameters of a call that changes something; a call that reads is named by a parameter without a value.
    pub(super) fn with_parameters<T>(&self, use_them: impl FnOnce(&[(&'static str, &str)]) -> T) -> T {
        match self {
            Self::Account | Self::Logs | Self::Domains => use_them(&[]),
            Self::AddDomain(name) | Self::DeleteDomain(name) => use_them(&[(self.name(), name.as_str())]),
            Self::DeleteRecordById(id) => use_them(&[(self.name(), &id.to_string())]),
            Self::AddRecord(record) | Self::DeleteRecord(record) => use_them(&[
                (self.name(), record.domain().as_str()),
                ("praefix", record.prefix()),
                ("type", record.record_type.as_str()),
                ("content", &record.content),
            ]),
        }
    }
}

/// Writes parameters as `application/x-www-form-urlencoded`; also right behind a `?`.
///
/// `add_domain` is shown as multipart in the documentation; public clients send it urlencoded like the others.
pub(super) fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// The media type of [`form`].
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Writes the query of a call that reads: its name, then the parameters.
pub(super) fn query(call: &str, form: &str) -> String {
    if form.is_empty() { call.to_owned() } else { format!("{call}&{form}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_percent_encoded() {
        assert_eq!(
            form(&[("content", "v=1 & \"ä\"+%/;"), ("praefix", "")]),
            "content=v%3D1+%26+%22%C3%A4%22%2B%25%2F%3B&praefix="
        );
        assert_eq!(form(&[("content", "-5qEv_d0*.A")]), "content=-5qEv_d0*.A");
        assert_eq!(form(&[]), "");
    }
}
