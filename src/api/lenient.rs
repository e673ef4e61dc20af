//! Reading JSON that PHP wrote: numbers as texts, `[]` for an empty map, `null` and missing fields.
//! What a field means is left to [`super::wire`].

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One value as text: a text, a number or a truth value as it stands; nothing for `null`, lists and maps.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Scalar(pub Option<String>);

impl Scalar {
    pub(super) fn text(self) -> Option<String> {
        self.0
    }

    /// A whole number, also where it stands in quotes; nothing for anything else.
    pub(super) fn number(self) -> Option<u64> {
        self.0?.trim().parse().ok()
    }

    /// 0 and 1, `true` and `false`, in quotes or not.
    pub(super) fn flag(self) -> Option<bool> {
        match self.0?.trim() {
            "1" | "true" => Some(true),
            "0" | "false" | "" => Some(false),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar(Some(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar(Some(text)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar(Some(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar(Some(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar(Some(number.to_string())))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
        Ok(Scalar(Some(truth.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scalar, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar(None))
    }
}

/// A list or a map as pairs, in the order of the answer: an empty map is `[]` in PHP, and a list with gaps is a map.
/// The entries of a list have empty keys; `null` is empty.
#[derive(Debug)]
pub(super) struct Pairs<T>(pub Vec<(String, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Pairs<T>, E> {
        Ok(Pairs::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Pairs<T>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(item) = items.next_element()? {
            pairs.push((String::new(), item));
        }
        Ok(Pairs(pairs))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Pairs<T>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            pairs.push(entry);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(json: &str) -> Scalar {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_may_stand_in_quotes() {
        for json in ["64", "\"64\"", "\" 64 \""] {
            assert_eq!(scalar(json).number(), Some(64), "{json}");
        }
        for json in ["null", "\"\"", "\"viele\"", "-1", "1.5", "[]", "{}", "1e400", "99999999999999999999"] {
            let number = serde_json::from_str::<Scalar>(json).ok().and_then(Scalar::number);
            assert_eq!(number, None, "{json}");
        }
    }

    #[test]
    fn flags_may_be_numbers_texts_or_truths() {
        for (json, flag) in [
            ("1", Some(true)),
            ("\"1\"", Some(true)),
            ("true", Some(true)),
            ("0", Some(false)),
            ("\"0\"", Some(false)),
            ("null", None),
            ("2", None),
        ] {
            assert_eq!(scalar(json).flag(), flag, "{json}");
        }
    }

    #[test]
    fn an_empty_map_may_be_a_list_and_a_list_a_map() {
        let pairs = |json: &str| serde_json::from_str::<Pairs<u8>>(json).unwrap().0;
        assert!(pairs("[]").is_empty() && pairs("{}").is_empty() && pairs("null").is_empty());
        assert_eq!(pairs("[1,2]"), [(String::new(), 1), (String::new(), 2)]);
        assert_eq!(pairs("{\"0\":1,\"5\":2}"), [("0".to_owned(), 1), ("5".to_owned(), 2)]);
    }
}
