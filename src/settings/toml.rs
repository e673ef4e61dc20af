//! Reads the part of TOML (v1.0.0) that settings need: `name = value` with a text, a number, `true`, `false`, or a list of
//! those. Tables, dates and texts over several lines are refused, since no setting is one. What the names mean is left to
//! [`super::file`].

/// What is not understood, and on which line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(super) struct Malformed {
    line: usize,
    what: &'static str,
}

type Result<T> = std::result::Result<T, Malformed>;

/// Returns the names with their values in the form in which the environment has them: texts without quotes, lists with
/// commas.
///
/// # Errors
/// [`Malformed`], also for a name that stands twice.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>> {
    let mut reader = Reader { rest: text, line: 1 };
    let mut pairs: Vec<(String, String)> = Vec::new();
    loop {
        reader.skip_lines();
        if reader.rest.is_empty() {
            return Ok(pairs);
        }
        let name = reader.name()?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(reader.wrong("this name stands here for the second time"));
        }
        if !reader.take("=") {
            return Err(reader.wrong("there is no `=` after the name"));
        }
        let value = reader.value()?;
        reader.end_line()?;
        pairs.push((name, value));
    }
}

/// What is still to be read.
struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, what: &'static str) -> Malformed {
        Malformed { line: self.line, what }
    }

    /// Takes as much of the rest as fits.
    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|letter| !fits(letter)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes a sign, and blanks before it and after it.
    fn take(&mut self, sign: &str) -> bool {
        self.skip_blanks();
        let Some(rest) = self.rest.strip_prefix(sign) else { return false };
        self.rest = rest;
        self.skip_blanks();
        true
    }

    fn skip_blanks(&mut self) {
        self.take_while(|letter| matches!(letter, ' ' | '\t'));
    }

    /// Skips blanks, comments and ends of lines.
    fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            if self.rest.starts_with('#') {
                self.take_while(|letter| letter != '\n');
            }
            let Some(rest) = self.rest.strip_prefix('\n').or_else(|| self.rest.strip_prefix("\r\n")) else { return };
            self.rest = rest;
            self.line += 1;
        }
    }

    fn end_line(&mut self) -> Result<()> {
        let line = self.line;
        self.skip_lines();
        let ended = self.line > line || self.rest.is_empty();
        if ended { Ok(()) } else { Err(self.wrong("there is more after the value")) }
    }

    fn name(&mut self) -> Result<String> {
        match self.rest.chars().next() {
            Some('[') => Err(self.wrong("settings stand in no table")),
            Some('"' | '\'') => self.text(),
            _ => match self.take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')) {
                "" => Err(self.wrong("there is no name")),
                name => Ok(name.to_owned()),
            },
        }
    }

    fn value(&mut self) -> Result<String> {
        if !self.take("[") {
            return self.scalar();
        }
        let mut items = Vec::new();
        loop {
            self.skip_lines();
            if self.take("]") {
                return Ok(items.join(","));
            }
            items.push(self.scalar()?);
            self.skip_lines();
            if !self.take(",") && !self.rest.starts_with(']') {
                return Err(self.wrong("the list has no `]`, or no comma between two values"));
            }
        }
    }

    /// A value that is no list.
    fn scalar(&mut self) -> Result<String> {
        if self.rest.starts_with(['"', '\'']) {
            return self.text();
        }
        let word =
            self.take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.' | '_' | ':'));
        let digits = word.replace('_', "");
        let is_number = digits.trim_start_matches(['+', '-']).starts_with(|first: char| first.is_ascii_digit());
        match word {
            "true" | "false" => Ok(word.to_owned()),
            _ if is_number && digits.parse::<f64>().is_ok() => Ok(digits.trim_start_matches('+').to_owned()),
            "" => Err(self.wrong("there is no value")),
            _ => Err(self.wrong("the value is no number, and a text stands in quotes")),
        }
    }

    /// A text in double quotes, or in single ones, between which a backslash means itself.
    fn text(&mut self) -> Result<String> {
        const OPEN: &str = "the text has no quote at its end, on the same line";
        if self.rest.starts_with("\"\"\"") || self.rest.starts_with("'''") {
            return Err(self.wrong("a text stands on one line, between single or double quotes"));
        }
        let mut letters = self.rest.chars();
        let quote = letters.next();
        let mut text = String::new();
        loop {
            match letters.next() {
                None => return Err(self.wrong(OPEN)),
                end if end == quote => break,
                Some('\\') if quote == Some('"') => {
                    text.push(escaped(&mut letters).ok_or_else(|| self.wrong("this is no escape sequence of TOML"))?);
                }
                Some('\n') => return Err(self.wrong(OPEN)),
                Some(letter) if letter.is_control() && letter != '\t' => {
                    return Err(self.wrong("a control character stands in the text"));
                }
                Some(letter) => text.push(letter),
            }
        }
        self.rest = letters.as_str();
        Ok(text)
    }
}

/// The character that stands for what comes after a backslash.
fn escaped(letters: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match letters.next()? {
        'b' => return Some('\u{8}'),
        't' => return Some('\t'),
        'n' => return Some('\n'),
        'f' => return Some('\u{c}'),
        'r' => return Some('\r'),
        same @ ('"' | '\\') => return Some(same),
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let mut code = 0;
    for _ in 0..digits {
        code = code << 4 | letters.next()?.to_digit(16)?;
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_as_the_environment_has_them() {
        let table = [
            ("a = \"x y\"", "x y"),
            ("a=\"x\"#c", "x"),
            ("\t a\t=\t'\\n # \"' # comment", "\\n # \""),
            ("\"a\" = \"\"", ""),
            (r#"a = "\"\\\t\u00e4\U0001F512""#, "\"\\\tä🔒"),
            ("a = 90", "90"),
            ("a = +90.5", "90.5"),
            ("a = -1_000", "-1000"),
            ("a = 1e3", "1e3"),
            ("a = true\r\n", "true"),
            ("a = []", ""),
            ("a = [1,'b', \"c\",]", "1,b,c"),
            ("a = [ # one\n 1 # two\n\n , 2\n]\n# end", "1,2"),
        ];
        for (text, value) in table {
            assert_eq!(pairs(text), Ok(vec![("a".to_owned(), value.to_owned())]), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        let table = [
            ("a", 1),
            ("a =", 1),
            ("= 1", 1),
            ("a = 1 2", 1),
            ("a = 1\nb = \"x\nc = 2", 2),
            ("a = 1\n\n[b]\nc = 1", 3),
            ("a.b = 1", 1),
            ("a = 1\na = 2", 2),
            ("a = b", 1),
            ("a = 2026-01-31", 1),
            ("a = inf", 1),
            ("a = 0x10", 1),
            ("a = \"\"\"x\"\"\"", 1),
            ("a = '''x'''", 1),
            ("a = \"\\x\"", 1),
            ("a = \"\\ud800\"", 1),
            ("a = \"\\u12", 1),
            ("a = \"\u{1b}\"", 1),
            ("a = [1 2]", 1),
            ("a = [1,\n2", 2),
            ("a = [[1]]", 1),
            ("a = {b = 1}", 1),
            ("a = 'x", 1),
        ];
        for (text, line) in table {
            assert_eq!(pairs(text).map_err(|malformed| malformed.line), Err(line), "{text:?}");
        }
    }

    #[test]
    fn a_file_of_comments_has_no_settings() {
        for text in ["", "\n", "# only\n\n  # comments\n\t\n", "#"] {
            assert_eq!(pairs(text), Ok(Vec::new()), "{text:?}");
        }
    }
}
