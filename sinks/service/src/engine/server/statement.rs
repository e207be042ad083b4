//! What must be known of a statement's text: its first word, the format it asks for, and where an insert's statement
//! ends and its data begins. The engine's own parser decides everything else.

use std::ops::Range;

/// A statement, looked at from outside.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// Nothing but blanks and comments.
    Empty,
    /// An insert whose data follows the statement, in the same text from `data_at` on and in what comes after it.
    Insert { sql: Vec<u8>, format: String, data_at: usize },
    /// Anything else, an insert of VALUES or of a SELECT among it.
    Other { first_word: String, format: Option<String> },
}

impl Statement {
    /// Looks at the whole of a text, or at its beginning.
    pub fn of(text: &[u8]) -> Self {
        let mut words = Words::new(text);
        let Some(first) = words.next() else { return Self::Empty };
        let first_word = first.text(text).to_ascii_lowercase();
        if first_word == "insert" && first.depth == 0 { insert(text, words) } else { other(text, first_word, words) }
    }

    /// Whether the connection is the same after it: nothing set, used, or made for the session.
    pub fn keeps_session(&self) -> bool {
        const KEEPING: [&str; 9] = ["select", "with", "insert", "show", "describe", "desc", "exists", "explain", "optimize"];
        match self {
            Self::Empty | Self::Insert { .. } => true,
            Self::Other { first_word, .. } => KEEPING.contains(&first_word.as_str()),
        }
    }

    /// Whether its output may be long.
    pub fn is_select(&self) -> bool {
        matches!(self, Self::Other { first_word, .. } if first_word == "select" || first_word == "with")
    }
}

fn insert(text: &[u8], words: Words<'_>) -> Statement {
    let other = || Statement::Other { first_word: "insert".into(), format: None };
    let words: Vec<Word> = words.take(WORDS_MAX).collect();
    // INSERT INTO [TABLE] name …: the name itself may be any word.
    for (at, word) in words.iter().enumerate().skip(1) {
        if word.depth > 0 || word.is_qualified {
            continue;
        }
        if word.is(text, "select") || word.is(text, "with") || word.is(text, "from") {
            return other();
        }
        if word.is(text, "values") {
            let rest = &text[word.range.end..];
            if rest.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b';') {
                return Statement::Insert { sql: text[..word.range.start].to_vec(), format: "Values".into(), data_at: text.len() };
            }
            return other();
        }
        if word.is(text, "format")
            && let Some(format) = words.get(at + 1).filter(|format| format.depth == 0)
        {
            return Statement::Insert {
                sql: text[..word.range.start].to_vec(),
                format: format.text(text).to_owned(),
                data_at: data_start(text, format.range.end),
            };
        }
    }
    other()
}

/// The data begins behind the blanks that follow the format's name, at most one line end among them.
fn data_start(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\r' | b';')) {
        at += 1;
    }
    if text.get(at) == Some(&b'\n') { at + 1 } else { at }
}

fn other(text: &[u8], first_word: String, words: Words<'_>) -> Statement {
    let mut format = None;
    let mut awaiting_name = false;
    for word in words.filter(|word| word.depth == 0) {
        if word.is(text, "format") && !word.is_qualified {
            (awaiting_name, format) = (true, None);
        } else if std::mem::take(&mut awaiting_name) {
            format = Some(word);
        } else if format.is_some() && !word.is(text, "settings") && !word.is_after_settings {
            // `format` was a column or an alias: the clause is the last but SETTINGS.
            format = None;
        }
    }
    Statement::Other { first_word, format: format.map(|word| word.text(text).to_owned()) }
}

/// Words looked at in an insert before it counts as one without a format.
const WORDS_MAX: usize = 20_000;

/// A bare word outside quotes and comments.
#[derive(Clone, Debug)]
struct Word {
    range: Range<usize>,
    /// Brackets open around it.
    depth: usize,
    /// Part of a dotted name.
    is_qualified: bool,
    /// Somewhere behind the word SETTINGS.
    is_after_settings: bool,
}

impl Word {
    fn text<'a>(&self, text: &'a [u8]) -> &'a str {
        std::str::from_utf8(&text[self.range.clone()]).unwrap_or_default()
    }

    fn is(&self, text: &[u8], keyword: &str) -> bool {
        text[self.range.clone()].eq_ignore_ascii_case(keyword.as_bytes())
    }
}

/// The bare words of a text.
struct Words<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    after_settings: bool,
}

impl<'a> Words<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, depth: 0, after_settings: false }
    }

    fn skip_past(&mut self, end: &[u8]) {
        let rest = &self.text[self.at..];
        self.at = rest.windows(end.len()).position(|window| window == end).map_or(self.text.len(), |found| self.at + found + end.len());
    }

    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        while let Some(&byte) = self.text.get(self.at) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == quote {
                return;
            }
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        loop {
            let rest = self.text.get(self.at..)?;
            match rest.first()? {
                b'-' if rest.starts_with(b"--") => self.skip_past(b"\n"),
                b'#' if rest.starts_with(b"# ") || rest.starts_with(b"#!") => self.skip_past(b"\n"),
                b'/' if rest.starts_with(b"/*") => self.skip_past(b"*/"),
                quote @ (b'\'' | b'"' | b'`') => self.skip_quoted(*quote),
                b'(' | b'[' | b'{' => {
                    self.depth += 1;
                    self.at += 1;
                }
                b')' | b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                byte if is_word(*byte) => {
                    let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                    let range = self.at..self.at + length;
                    self.at = range.end;
                    let is_qualified = self.text.get(range.end) == Some(&b'.')
                        || range.start.checked_sub(1).is_some_and(|before| self.text[before] == b'.');
                    let word = Word { range, depth: self.depth, is_qualified, is_after_settings: self.after_settings };
                    self.after_settings |= word.depth == 0 && word.is(self.text, "settings");
                    return Some(word);
                }
                _ => self.at += 1,
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::Statement;

    fn check_insert(text: &str, sql: &str, format: &str, data: &str) {
        match Statement::of(text.as_bytes()) {
            Statement::Insert { sql: found, format: found_format, data_at } => {
                assert_eq!(
                    (String::from_utf8_lossy(&found).as_ref(), found_format.as_str(), &text[data_at..]),
                    (sql, format, data),
                    "{text}"
                );
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    fn check_other(text: &str, first_word: &str, format: Option<&str>) {
        assert_eq!(
            Statement::of(text.as_bytes()),
            Statement::Other { first_word: first_word.into(), format: format.map(Into::into) },
            "{text}"
        );
    }

    #[test]
    fn inserts_with_data_are_cut_behind_the_format() {
        check_insert("INSERT INTO t FORMAT Native", "INSERT INTO t ", "Native", "");
        check_insert("INSERT INTO t(a,b) FORMAT CSV\n1,2\n", "INSERT INTO t(a,b) ", "CSV", "1,2\n");
        check_insert(
            "insert into db.t (`a`, b)\n  format JSONEachRow {\"a\":1}",
            "insert into db.t (`a`, b)\n  ",
            "JSONEachRow",
            "{\"a\":1}",
        );
        check_insert("INSERT INTO t FORMAT CSV;\r\n\n1", "INSERT INTO t ", "CSV", "\n1");
        check_insert("/* FORMAT X */ INSERT INTO t -- FORMAT Y\n FORMAT TSV\n", "/* FORMAT X */ INSERT INTO t -- FORMAT Y\n ", "TSV", "");
        check_insert(
            "INSERT INTO `FORMAT A` SETTINGS async_insert = 0, x = 'FORMAT B' FORMAT RowBinary",
            "INSERT INTO `FORMAT A` SETTINGS async_insert = 0, x = 'FORMAT B' ",
            "RowBinary",
            "",
        );
        check_insert("INSERT INTO x.format (format) FORMAT CSV 1", "INSERT INTO x.format (format) ", "CSV", "1");
        check_insert("INSERT INTO t VALUES", "INSERT INTO t ", "Values", "");
    }

    #[test]
    fn other_inserts_are_the_engines_business() {
        check_other("INSERT INTO t VALUES (1, 'FORMAT CSV')", "insert", None);
        check_other("INSERT INTO t SELECT * FROM u FORMAT Null", "insert", None);
        check_other("INSERT INTO t WITH 1 AS x SELECT x", "insert", None);
        check_other("INSERT INTO t FROM INFILE 'x' FORMAT CSV", "insert", None);
        check_other("INSERT INTO t", "insert", None);
    }

    #[test]
    fn a_querys_format_is_its_last_clause() {
        check_other("SELECT 1", "select", None);
        check_other("SELECT 1 FORMAT JSON", "select", Some("JSON"));
        check_other("(SELECT 1) FORMAT JSON;", "select", Some("JSON"));
        check_other("select 'a\\' FORMAT X', \"FORMAT Y\" format TSV -- FORMAT Z", "select", Some("TSV"));
        check_other("SELECT format FROM t", "select", None);
        check_other("SELECT t.format x, format FROM t FORMAT CSV SETTINGS max_threads = 1", "select", Some("CSV"));
        check_other("SELECT (SELECT 1 FORMAT JSON)", "select", None);
        check_other("WITH 1 AS format SELECT format", "with", None);
        check_other("SELECT 1 AS format FORMAT JSON", "select", Some("JSON"));
    }

    #[test]
    fn blanks_and_broken_text_are_harmless() {
        for text in ["", "  \n", "-- only this", "/* open", ";"] {
            assert_eq!(Statement::of(text.as_bytes()), Statement::Empty, "{text}");
        }
        check_other("SELECT 'open", "select", None);
        check_other("SELECT 'open\\", "select", None);
        assert_eq!(Statement::of(b"\xff\xfe \xc3("), Statement::Empty);
    }

    #[test]
    fn only_reading_statements_keep_the_session() {
        for (text, keeps) in [
            ("SELECT 1", true),
            ("INSERT INTO t FORMAT CSV", true),
            ("SET a = 1", false),
            ("USE x", false),
            ("CREATE TEMPORARY TABLE t (a Int8)", false),
        ] {
            assert_eq!(Statement::of(text.as_bytes()).keeps_session(), keeps, "{text}");
        }
    }
}
