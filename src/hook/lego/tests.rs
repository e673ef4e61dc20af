use super::super::tests::VALUE;
use super::*;

fn call(form: Form, args: &[&str]) -> Result<Challenge> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    parse(Action::Add, form, &args).map(|call| call.challenges[0].clone())
}

#[test]
fn takes_name_and_value_as_they_are() {
    for args in [["_acme-challenge.A.example.", VALUE].as_slice(), &["_acme-challenge.a.example", VALUE, "120"]] {
        let challenge = call(Form::Record, args).unwrap();
        assert_eq!(challenge.name.as_str(), "_acme-challenge.a.example");
        assert_eq!(challenge.value.as_str(), VALUE);
    }
    assert_eq!(call(Form::Record, &["foo.alias.ipv64.net.", VALUE]).unwrap().name.as_str(), "foo.alias.ipv64.net");
}

#[test]
fn raw_is_hashed() {
    let challenge = call(Form::Raw, &["a.example", "-tok", "-tok.thumb"]).unwrap();
    assert_eq!(challenge.name.as_str(), "_acme-challenge.a.example");
    assert_eq!(challenge.value, TxtValue::from_key_authorization("-tok.thumb").unwrap());
}

#[test]
fn refuses_what_lego_does_not_send() {
    let table: [(Form, &[&str], &str); 13] = [
        (Form::Record, &[], "`present` takes 2 arguments, NAME and VALUE, not 0"),
        (Form::Record, &["a.example"], "not 1"),
        (Form::Record, &["a.example", VALUE, "x"], "not 3"),
        (Form::Record, &["*", VALUE], "wildcard of nothing"),
        (Form::Record, &["*.a.example", VALUE], "`*.a.example` is a domain"),
        (Form::Record, &["a.example", VALUE], "`a.example` is a domain"),
        (Form::Record, &["abc", "_acme-challenge.a.example"], "the name comes before the value"),
        (Form::Record, &["-abc", "a.example"], "the name comes before the value"),
        (Form::Record, &["https://a.example/", VALUE], "write `a.example`"),
        (Form::Record, &["a.example", "token.thumb"], "key authorization"),
        (Form::Record, &["--bogus", VALUE], "unknown option"),
        (Form::Raw, &["a.example", "token"], "`present --` takes 3 arguments, DOMAIN TOKEN KEYAUTH, not 2"),
        (Form::Raw, &["a.example", "token", "digest"], "no key authorization"),
    ];
    for (form, args, word) in table {
        let error = call(form, args).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert!(!error.hint().unwrap().is_empty());
    }
}

#[test]
fn a_flag_behind_the_value_is_told_where_it_stands() {
    let hint = |args: &[&str]| call(Form::Record, args).unwrap_err().hint().unwrap().to_owned();
    assert!(hint(&["a.example", VALUE, "--json"]).contains("flags go before"));
    assert!(hint(&["a.example", VALUE, "-v"]).contains("flags go before"));
    assert!(!hint(&["a.example", VALUE, "x"]).contains("flags go before"));
}
