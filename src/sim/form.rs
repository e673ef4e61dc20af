//! Parameters of a request: query string, urlencoded body, multipart body (RFC 7578).

use super::http::Request;

/// All parameters of a request, those of the query string first.
pub(super) fn parameters(request: &Request) -> Vec<(String, String)> {
    let mut all = urlencoded(&request.query);
    let kind = request.header("content-type").unwrap_or("application/x-www-form-urlencoded");
    let body = String::from_utf8_lossy(&request.body);
    match kind.split_once("boundary=") {
        Some((before, boundary)) if before.starts_with("multipart/form-data") => {
            all.extend(multipart(&body, boundary.trim_matches('"')));
        }
        _ => all.extend(urlencoded(&body)),
    }
    all
}

/// Reads `a=1&b=2`; a name without a value has an empty one, and what is no valid escape stays.
pub(super) fn urlencoded(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.trim().as_bytes()).into_owned().collect()
}

fn multipart(body: &str, boundary: &str) -> Vec<(String, String)> {
    let part = |part: &str| {
        let (head, value) = part.split_once("\r\n\r\n")?;
        let name = head.split_once("name=\"")?.1.split('"').next()?;
        Some((name.to_owned(), value.strip_suffix("\r\n").unwrap_or(value).to_owned()))
    };
    body.split(&format!("--{boundary}")).filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn escapes_are_undone_and_broken_ones_stay() {
        assert_eq!(
            urlencoded("get_domains&a=%22x+y%22&b=100%&c=%zz&d=%C3%A4"),
            [pair("get_domains", ""), pair("a", "\"x y\""), pair("b", "100%"), pair("c", "%zz"), pair("d", "ä")]
        );
    }

    #[test]
    fn multipart_fields_are_read() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"add_domain\"\r\n\r\nx.ipv64.net\r\n--b--\r\n";
        assert_eq!(multipart(body, "b"), [pair("add_domain", "x.ipv64.net")]);
    }
}
