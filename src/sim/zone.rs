//! One zone and the answers it gives: referrals, aliases, wildcards, missing names (RFC 1034 section 4.3.2).
//! Where the records come from is in [`super::hierarchy`].

use hickory_resolver::proto::{
    op::ResponseCode,
    rr::{Name, RData, Record, RecordType},
};

/// How many aliases of one zone are followed within an answer.
const MAX_ALIASES: usize = 16;

/// A zone as one server sees it at one moment.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    pub(super) apex: Name,
    /// All records, the SOA of the apex among them; delegations with their glue.
    pub(super) records: Vec<Record>,
}

/// The sections of an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) rcode: ResponseCode,
    pub(super) authoritative: bool,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    pub(super) additionals: Vec<Record>,
}

impl Reply {
    /// An answer that is only a response code.
    pub(super) fn code(rcode: ResponseCode) -> Self {
        Self { rcode, ..Self::default() }
    }
}

impl Zone {
    /// Answers a question for a name at or below the apex.
    pub(super) fn answer(&self, name: &Name, kind: RecordType) -> Reply {
        let mut reply = Reply { authoritative: true, ..Reply::default() };
        let mut name = name.clone();
        for _ in 0..MAX_ALIASES {
            // The fingerprint of a zone is the parent's (RFC 4035 section 3.1.4.1).
            let is_parents = |cut: &Name| kind == RecordType::DS && *cut == name;
            if let Some(cut) = self.cut_above(&name).filter(|cut| !is_parents(cut)) {
                self.refer(&cut, &mut reply);
                return reply;
            }
            let Some(target) = self.answer_step(&name, kind, &mut reply) else { return reply };
            name = target;
        }
        reply
    }

    /// Puts the records of one name in; returns the target of an alias that stays in the zone.
    fn answer_step(&self, name: &Name, kind: RecordType, reply: &mut Reply) -> Option<Name> {
        let found = self.at_or_by_wildcard(name);
        let Some(found) = found else {
            reply.rcode = ResponseCode::NXDomain;
            reply.authorities.extend(self.soa());
            return None;
        };
        let is_alias = |record: &&Record| record.record_type() == RecordType::CNAME;
        // Against the rules (RFC 1034 section 3.6.2), some servers have other records beside an alias, and show them.
        let is_beside = kind == RecordType::ANY || found.iter().any(|record| record.record_type() == kind);
        if let Some(alias) = found.iter().find(is_alias).filter(|_| !is_beside) {
            reply.answers.push(alias.clone());
            let RData::CNAME(target) = &alias.data else { return None };
            // What is outside is for the asker to look up (RFC 1034 section 4.3.2, step 3a).
            return Some(target.0.clone()).filter(|target| self.apex.zone_of(target));
        }
        let before = reply.answers.len();
        let fits = |record: &Record| kind == RecordType::ANY || record.record_type() == kind;
        reply.answers.extend(found.into_iter().filter(fits));
        if reply.answers.len() == before {
            reply.authorities.extend(self.soa());
        } else if kind == RecordType::NS {
            reply.additionals = self.glue(&reply.answers);
        }
        None
    }

    /// The SOA record of the apex.
    pub(super) fn soa(&self) -> Option<Record> {
        self.at(&self.apex).find(|record| record.record_type() == RecordType::SOA).cloned()
    }

    fn at<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| record.name == *name)
    }

    /// The records of a name, synthesized where only a wildcard covers it (RFC 4592). Nothing if the name does not
    /// exist; an empty list if it only has names below it.
    fn at_or_by_wildcard(&self, name: &Name) -> Option<Vec<Record>> {
        let own: Vec<_> = self.at(name).cloned().collect();
        if !own.is_empty() || self.exists(name) {
            return Some(own);
        }
        let mut encloser = name.base_name();
        while !self.exists(&encloser) && self.apex.zone_of(&encloser) && !encloser.is_root() {
            encloser = encloser.base_name();
        }
        let wildcard = encloser.prepend_label("*").ok()?;
        let mut found: Vec<_> = self.at(&wildcard).cloned().collect();
        for record in &mut found {
            record.name = name.clone();
        }
        Some(found).filter(|found| !found.is_empty())
    }

    /// Whether there is a record at the name or below it (an empty non-terminal, RFC 8020 section 2).
    fn exists(&self, name: &Name) -> bool {
        *name == self.apex || self.records.iter().any(|record| name.zone_of(&record.name))
    }

    /// The highest delegation at or above a name.
    fn cut_above(&self, name: &Name) -> Option<Name> {
        let depth = usize::from(name.num_labels());
        let apex = usize::from(self.apex.num_labels());
        (apex + 1..=depth)
            .map(|labels| name.trim_to(labels))
            .find(|candidate| self.at(candidate).any(|record| record.record_type() == RecordType::NS))
    }

    fn refer(&self, cut: &Name, reply: &mut Reply) {
        let servers: Vec<_> = self.at(cut).filter(|record| record.record_type() == RecordType::NS).cloned().collect();
        reply.additionals = self.glue(&servers);
        // Behind an alias the answer stays ours, and the referral is only a hint (RFC 2181 section 5.4.1).
        reply.authoritative = !reply.answers.is_empty();
        reply.authorities.extend(servers);
    }

    fn glue(&self, servers: &[Record]) -> Vec<Record> {
        let hosts: Vec<_> = servers
            .iter()
            .filter_map(|record| match &record.data {
                RData::NS(host) => Some(&host.0),
                _ => None,
            })
            .collect();
        let is_address = |record: &&Record| matches!(record.record_type(), RecordType::A | RecordType::AAAA);
        self.records.iter().filter(is_address).filter(|record| hosts.contains(&&record.name)).cloned().collect()
    }
}
