//! IPv64's spelling: the names of calls, parameters and fields, and the form in which they travel.
//! With [`answers`], the only place that says `praefix`. What an answer means for the caller is left to [`super::answer`].

mod answers;

use crate::http::Method;
use crate::name::DnsName;
use crate::secret::Secret;

use super::CallKind;
use super::models::RecordSpec;

pub(super) use answers::Answer;

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
            CallKind::Read => Method::GET,
            CallKind::Addition => Method::POST,
            CallKind::Removal => Method::DELETE,
        }
    }

    pub(super) fn kind(&self) -> CallKind {
        match self {
            Self::Account | Self::Logs | Self::Domains => CallKind::Read,
            Self::AddDomain(_) | Self::AddRecord(_) => CallKind::Addition,
            Self::DeleteDomain(_) | Self::DeleteRecord(_) | Self::DeleteRecordById(_) => CallKind::Removal,
        }
    }

    /// Whether the call changes nothing.
    pub(super) fn reads(&self) -> bool {
        self.kind() == CallKind::Read
    }

    /// Whether the call may be sent again although the first one may have been acted on: an added or deleted record is
    /// told by the second answer, a domain is not.
    pub(super) fn is_repeatable(&self) -> bool {
        !matches!(self, Self::AddDomain(_) | Self::DeleteDomain(_))
    }

    /// The parameters of a call that changes something; a call that reads is named by a parameter without a value.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Account | Self::Logs | Self::Domains => Vec::new(),
            Self::AddDomain(name) | Self::DeleteDomain(name) => vec![(self.name(), name.to_string())],
            Self::DeleteRecordById(id) => vec![(self.name(), id.to_string())],
            Self::AddRecord(record) | Self::DeleteRecord(record) => vec![
                (self.name(), record.domain.to_string()),
                ("praefix", record.prefix.clone()),
                ("type", record.record_type.to_string()),
                ("content", record.content.clone()),
            ],
        }
    }

    /// The call as `application/x-www-form-urlencoded`: the query of one that reads, the body of any other. The key
    /// comes last, where it is a parameter.
    ///
    /// `add_domain` is shown as multipart in the documentation; public clients send it urlencoded like the others.
    pub(super) fn form(&self, key: Option<(&str, &Secret)>) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        if self.reads() {
            form.append_key_only(self.name());
        }
        form.extend_pairs(self.parameters());
        form.extend_pairs(key.map(|(name, key)| (name, key.expose())));
        form.finish()
    }
}

/// The media type of [`Call::form`].
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RecordType;

    #[test]
    fn parameters_are_percent_encoded() {
        let domain = DnsName::parse("name.ipv64.net").unwrap();
        let form = |content| {
            let record = RecordSpec::within(&domain, &domain, RecordType::TXT, content).unwrap();
            Call::AddRecord(&record).form(None)
        };
        let start = "add_record=name.ipv64.net&praefix=&type=TXT&content=";
        assert_eq!(form("v=1 & \"ä\"+%/;"), format!("{start}v%3D1+%26+%22%C3%A4%22%2B%25%2F%3B"));
        assert_eq!(form("-5qEv_d0*.A"), format!("{start}-5qEv_d0*.A"));
        let key = Secret::parse("a&b").unwrap();
        assert_eq!(Call::Logs.form(Some(("token", &key))), "get_logs&token=a%26b");
    }
}
