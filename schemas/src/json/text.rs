//! JSON objects as they stand, and JSON text in canonical form.
//!
//! Canonical: compact, keys sorted by their bytes, text escaped only where JSON demands it, numbers in one spelling that
//! loses no digit (600.5 and 20-digit integers stay, 1e3 is 1000). A key that stands twice in one object is refused: readers of JSON
//! differ in which one they take, and a record must mean the same to all of them.

use super::number::put_normal;
use crate::rejection::Trouble;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A key and its value, unread.
pub(crate) type Entry<'a> = (Cow<'a, str>, Cow<'a, RawValue>);

/// The keys of one object, in the order sent, with their values unread.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    entries: Vec<Entry<'a>>,
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    entries.push((key, Cow::Borrowed(value)));
                }
                Ok(Object { entries })
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl<'a> Object<'a> {
    pub fn parse(text: &'a str) -> Result<Self, Trouble> {
        let object: Self = serde_json::from_str(text).map_err(|e| if e.is_data() { Trouble::Type } else { Trouble::Json })?;
        let mut keys: Vec<&str> = object.entries.iter().map(|(key, _)| &**key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Trouble::Duplicate);
        }
        Ok(object)
    }

    /// Removes and returns the value of a key; an explicit null is the same as no such key.
    pub fn take(&mut self, key: &str) -> Option<Cow<'a, RawValue>> {
        let place = self.entries.iter().position(|(name, _)| name == key)?;
        let (_, value) = self.entries.remove(place);
        if value.get() == "null" { None } else { Some(value) }
    }

    pub fn get(&self, key: &str) -> Option<&RawValue> {
        let (_, value) = self.entries.iter().find(|(name, _)| name == key)?;
        if value.get() == "null" { None } else { Some(value) }
    }

    /// Sets a key to a text.
    pub fn set_text(&mut self, key: &'static str, text: &str) {
        self.set_json(key, quoted(text));
    }

    /// Sets a key to a value that is well-formed JSON.
    pub fn set_json(&mut self, key: &'static str, json: String) {
        if let Ok(value) = RawValue::from_string(json) {
            self.entries.retain(|(name, _)| name != key);
            self.entries.push((Cow::Borrowed(key), Cow::Owned(value)));
        }
    }

    /// Removes the entries of these keys, whole.
    pub fn set_aside(&mut self, keys: &[&str]) -> Vec<Entry<'a>> {
        self.entries.extract_if(.., |(name, _)| keys.contains(&&**name)).collect()
    }

    /// What nobody took.
    pub fn into_rest(self) -> Vec<Entry<'a>> {
        self.entries
    }
}

/// Keys and values as the text of one object.
pub(crate) fn object_of<'e>(entries: impl IntoIterator<Item = (&'e str, &'e str)>) -> String {
    let entries: Vec<String> = entries.into_iter().map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
    format!("{{{}}}", entries.join(","))
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// JSON text in canonical form; more than `depth_max` objects and arrays inside each other are refused.
pub(crate) fn canonical(json: &str, depth_max: usize) -> Result<String, Trouble> {
    let value: &RawValue = serde_json::from_str(json).map_err(|_| Trouble::Json)?;
    let mut out = String::with_capacity(json.len());
    put_canonical(value.get(), depth_max, &mut out)?;
    Ok(out)
}

fn put_canonical(json: &str, depth_left: usize, out: &mut String) -> Result<(), Trouble> {
    match json.as_bytes().first() {
        Some(b'{') => {
            let depth_left = depth_left.checked_sub(1).ok_or(Trouble::TooDeep)?;
            let mut entries = Object::parse(json)?.entries;
            entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            for (place, (key, value)) in entries.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                out.push_str(&quoted(key));
                out.push(':');
                put_canonical(value.get(), depth_left, out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            let depth_left = depth_left.checked_sub(1).ok_or(Trouble::TooDeep)?;
            let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Trouble::Json)?;
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                put_canonical(item.get(), depth_left, out)?;
            }
            out.push(']');
        }
        Some(b'"') => {
            let text: Key = serde_json::from_str(json).map_err(|_| Trouble::Json)?;
            out.push_str(&quoted(&text.0));
        }
        Some(b'-' | b'0'..=b'9') => put_normal(json, out),
        // True, false or null.
        _ => out.push_str(json),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form_sorts_compacts_and_spells_numbers_in_one_way() {
        let check =
            |json: &str, expect: Result<&str, Trouble>| assert_eq!(canonical(json, 4).as_deref(), expect.as_ref().map(|s| *s), "{json}");
        check(r#" { "b" : 600.5 , "a" : [ 1e3 , 12345678901234567890 , -0.0 ] } "#, Ok(r#"{"a":[1000,12345678901234567890,0],"b":600.5}"#));
        check(r#"{"é":"\u00e9\n","\u0061":null}"#, Ok(r#"{"a":null,"é":"é\n"}"#));
        check(r#""text""#, Ok(r#""text""#));
        check("[[[[]]]]", Ok("[[[[]]]]"));
        check("[[[[[]]]]]", Err(Trouble::TooDeep));
        check(r#"{"a":1,"\u0061":2}"#, Err(Trouble::Duplicate));
        for broken in ["", "{", "[1,]", "{\"a\":}", "01", "NaN", "\"\\ud800\"", "{} x", "{'a':1}", "\"\u{1}\""] {
            check(broken, Err(Trouble::Json));
        }
    }

    #[test]
    fn hostile_depth_does_not_exhaust_the_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(canonical(&deep, 16), Err(Trouble::TooDeep));
        assert_eq!(canonical(&"{\"a\":".repeat(100_000), 16), Err(Trouble::Json));
    }
}
