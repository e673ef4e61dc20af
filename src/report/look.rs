//! What the terminal of this process can show, by the variables of its environment.

use crate::settings::Environment;

/// What may be printed on a terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether it can move its cursor.
    pub(super) has_cursor: bool,
    /// Whether colours are welcome.
    pub(super) has_colour: bool,
    /// Whether it shows more than ASCII.
    pub(super) is_utf8: bool,
}

impl Look {
    /// Reads the variables. Terminals without a name (`TERM`), and those named `dumb`, can do nothing; whoever sets `NO_COLOR` to
    /// anything (no-color.org) wants no colours.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        let has_cursor = environment.get("TERM").is_some_and(|term| term != "dumb");
        // POSIX, XBD section 8.2: the first of these that is set and not empty decides.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| environment.get(name));
        let locale = locale.unwrap_or_default().to_ascii_lowercase().replace('-', "");
        Self {
            has_cursor,
            has_colour: has_cursor && environment.get("NO_COLOR").is_none(),
            is_utf8: locale.contains("utf8"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_signs_are_for_those_who_can_see_them() {
        let look = |variables: &[(&str, &str)]| {
            let set = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let Look { has_cursor, has_colour, is_utf8 } = Look::of(&Environment::new(set));
            (has_cursor, has_colour, is_utf8)
        };
        for (variables, expected) in [
            (&[][..], (false, false, false)),
            (&[("TERM", "xterm"), ("LANG", "de_DE.UTF-8")], (true, true, true)),
            (&[("TERM", "xterm"), ("NO_COLOR", "1"), ("LC_CTYPE", "C.utf8")], (true, false, true)),
            (&[("TERM", "xterm"), ("NO_COLOR", "")], (true, true, false)),
            (&[("TERM", "dumb"), ("LANG", "C")], (false, false, false)),
            (&[("TERM", ""), ("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")], (false, false, false)),
            (&[("TERM", "xterm"), ("LC_ALL", ""), ("LANG", "en_US.UTF-8")], (true, true, true)),
        ] {
            assert_eq!(look(variables), expected, "{variables:?}");
        }
    }
}
