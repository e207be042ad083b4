//! A quick look whether JSON text is in canonical form already, without building anything (but for numbers that are long
//! or have an exponent).

use super::number::is_normal;

/// Whether `json` is surely what `canonical` would give. `false` means that it may still be: text with escapes or with
/// characters beyond ASCII in a key is left to the full reading.
pub(crate) fn is_canonical(json: &str, depth_max: usize) -> bool {
    let mut scan = Scan { rest: json.as_bytes() };
    scan.value(depth_max).is_some() && scan.rest.is_empty()
}

struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn value(&mut self, depth_left: usize) -> Option<()> {
        match self.rest.first()? {
            b'{' => self.object(depth_left.checked_sub(1)?),
            b'[' => self.array(depth_left.checked_sub(1)?),
            b'"' => self.text().map(drop),
            b't' => self.skip(b"true"),
            b'f' => self.skip(b"false"),
            b'n' => self.skip(b"null"),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth_left: usize) -> Option<()> {
        self.skip(b"{")?;
        if self.skip(b"}").is_some() {
            return Some(());
        }
        let mut last: Option<&[u8]> = None;
        loop {
            let key = self.text()?;
            // Sorted and distinct at once.
            if last.is_some_and(|last| last >= key) {
                return None;
            }
            last = Some(key);
            self.skip(b":")?;
            self.value(depth_left)?;
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn array(&mut self, depth_left: usize) -> Option<()> {
        self.skip(b"[")?;
        if self.skip(b"]").is_some() {
            return Some(());
        }
        loop {
            self.value(depth_left)?;
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A text without escapes; the input is UTF-8 already.
    fn text(&mut self) -> Option<&'a [u8]> {
        self.skip(b"\"")?;
        let length = self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.skip(b"\"")?;
        Some(text)
    }

    fn digits(&mut self) -> Option<()> {
        let count = self.rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.rest.len());
        self.rest = self.rest.split_at_checked(count)?.1;
        (count > 0).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let from_here = self.rest;
        let _ = self.skip(b"-");
        if self.skip(b"0").is_none() {
            self.digits()?;
        }
        if self.skip(b".").is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.rest.first() {
            self.next()?;
            if let Some(b'+' | b'-') = self.rest.first() {
                self.next()?;
            }
            self.digits()?;
        }
        is_normal(from_here.split_at_checked(from_here.len() - self.rest.len())?.0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::canonical;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples() {
        let check = |json: &str, expect: bool| assert_eq!(is_canonical(json, 3), expect, "{json}");
        for json in
            ["{}", "[]", "0", "-1.5", "1.5e300", "1e-300", "12345678901234567890", "true", r#"{"a":1,"b":[{}],"é":null}"#, r#""text""#]
        {
            check(json, true);
        }
        for json in [
            "",
            " {}",
            "{ }",
            "01",
            "1.",
            "-",
            "1e",
            "-0",
            "1.0",
            "0.0",
            "1e1",
            "1E300",
            "1e+300",
            "1.50e300",
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":2}"#,
            "[1,]",
            "tru",
            "{}x",
            "[[[[]]]]",
        ] {
            check(json, false);
        }
    }

    proptest! {
        /// Whatever the scan takes is canonical; whatever `canonical` makes of it, without escapes, the scan takes.
        #[test]
        fn agrees_with_the_full_reading(json in r#"[\[\]{}",:a-c0-2.eE+ \-]{0,14}|(\{"[ab]":(1|"x"|\[0\])(,"[ab]":-?[0-2]\.?[0-2]?)?\})"#) {
            let full = canonical(&json, 3);
            if is_canonical(&json, 3) {
                prop_assert_eq!(full.as_deref(), Ok(json.as_str()));
            }
            if let Ok(full) = full {
                prop_assert!(full.contains('\\') || is_canonical(&full, 3));
            }
        }
    }
}
