use super::*;

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn answered(question: &Question, change: impl FnOnce(&mut Message)) -> Result<Reply, WireError> {
    let query = question.encode().unwrap();
    let mut message = Message::from_vec(query.bytes()).unwrap().into_response();
    change(&mut message);
    query.read(&message.to_vec().unwrap())
}

#[test]
fn only_authoritative_servers_are_asked_for_their_name() {
    let read = |question: Question| Message::from_vec(question.encode().unwrap().bytes()).unwrap();
    let authoritative = read(Question::authoritative(&name("a.example"), RecordType::TXT));
    assert!(authoritative.edns.unwrap().option(EdnsCode::NSID).is_some());
    assert!(!authoritative.metadata.recursion_desired);
    let recursive = read(Question::recursive(&name("a.example"), RecordType::TXT));
    assert!(recursive.edns.unwrap().option(EdnsCode::NSID).is_none());
    assert!(recursive.metadata.recursion_desired);
    let plain = read(Question::authoritative(&name("a.example"), RecordType::TXT).without_edns());
    assert!(plain.edns.is_none() && plain.additionals.is_empty());
}

#[test]
fn who_does_not_know_edns_is_recognised() {
    let question = Question::authoritative(&name("a.example"), RecordType::TXT);
    let refuses = |code: ResponseCode, with_question: bool| {
        answered(&question, |message| {
            message.metadata.response_code = code;
            if !with_question {
                message.queries.clear();
            }
        })
        .map(|reply| reply.refuses_edns())
    };
    for code in [ResponseCode::FormErr, ResponseCode::NotImp] {
        assert_eq!(refuses(code, true), Ok(true));
        assert_eq!(refuses(code, false), Ok(true), "nothing but a header");
    }
    assert_eq!(refuses(ResponseCode::BADVERS, true), Ok(true));
    assert_eq!(refuses(ResponseCode::Refused, true), Ok(false));
    assert_eq!(refuses(ResponseCode::Refused, false), Err(WireError));
}

#[test]
fn strings_of_one_record_are_joined() {
    let txt = hickory_resolver::proto::rr::rdata::TXT::new(vec!["ab".into(), "cd".into()]);
    let reply = answered(&Question::authoritative(&name("a.example"), RecordType::TXT), |message| {
        let owner = Name::from_ascii("A.Example.").unwrap();
        message.add_answer(Record::from_rdata(owner, 60, RData::TXT(txt)));
    })
    .unwrap();
    assert_eq!(reply.texts(&name("a.example")).collect::<Vec<_>>(), ["abcd".as_bytes()]);
}

#[test]
fn replies_to_other_questions_are_refused() {
    let question = Question::authoritative(&name("a.example"), RecordType::TXT);
    assert!(answered(&question, |_| ()).is_ok());
    assert!(answered(&question, |message| message.metadata.id ^= 1).is_err());
    assert!(answered(&question, |message| message.metadata.message_type = MessageType::Query).is_err());
    assert!(answered(&question, |message| message.queries.clear()).is_err());
    let other = WireQuery::query(Name::from_ascii("b.example.").unwrap(), RecordType::TXT);
    assert!(answered(&question, |message| message.queries[0] = other).is_err());
}

#[test]
fn a_server_may_change_the_case_of_the_name() {
    let question = Question::authoritative(&name("a.example"), RecordType::TXT);
    let lower = WireQuery::query(Name::from_ascii("a.example.").unwrap(), RecordType::TXT);
    assert!(answered(&question, |message| message.queries[0] = lower).is_ok());
}

#[test]
fn only_a_referral_is_one() {
    let question = Question::authoritative(&name("a.b.example"), RecordType::TXT);
    let ns = |message: &mut Message| {
        let target = hickory_resolver::proto::rr::rdata::NS(Name::from_ascii("ns.b.example.").unwrap());
        let owner = Name::from_ascii("b.example.").unwrap();
        message.add_authority(Record::from_rdata(owner, 60, RData::NS(target)));
    };
    assert_eq!(answered(&question, ns).unwrap().referral(), Some(name("b.example")));
    let with_aa = |message: &mut Message| {
        ns(message);
        message.metadata.authoritative = true;
    };
    assert_eq!(answered(&question, with_aa).unwrap().referral(), None);
}
