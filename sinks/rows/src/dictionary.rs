//! LowCardinality columns: each distinct text once per block, rows as small numbers.

use crate::native::{Column, put_text};
use std::marker::PhantomData;
use xxhash_rust::xxh3::xxh3_64;

/// The format's only version of a dictionary's keys.
const KEYS_VERSION: u64 = 1;
/// The block brings its keys itself, and they are all there are.
const OWN_KEYS: u64 = 0x600;

/// A closed set of texts, each known by its number.
pub trait Symbol: Copy {
    const COUNT: usize;
    fn index(self) -> u8;
    fn text(index: usize) -> &'static str;
}

macro_rules! symbol {
    ($($type:ty: $text:ident;)*) => {$(
        impl $crate::dictionary::Symbol for $type {
            const COUNT: usize = <$type>::ALL.len();
            fn index(self) -> u8 { self as u8 }
            fn text(index: usize) -> &'static str { <$type>::ALL[index].$text() }
        }
    )*};
}
pub(crate) use symbol;

/// `LowCardinality(String)` of a closed set: the dictionary is the set, so a row costs one byte and no look-up.
pub struct Symbols<S> {
    indexes: Vec<u8>,
    symbol: PhantomData<S>,
}

impl<S> Default for Symbols<S> {
    fn default() -> Self {
        Self { indexes: Vec::new(), symbol: PhantomData }
    }
}

impl<S: Symbol> Symbols<S> {
    #[inline]
    pub fn push(&mut self, value: S) {
        self.indexes.push(value.index());
    }
}

impl<S: Symbol> Column for Symbols<S> {
    fn type_name(&self) -> String {
        "LowCardinality(String)".to_owned()
    }
    fn put_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&KEYS_VERSION.to_le_bytes());
    }
    fn put_values(&self, out: &mut Vec<u8>) {
        if self.indexes.is_empty() {
            return;
        }
        out.extend_from_slice(&OWN_KEYS.to_le_bytes());
        out.extend_from_slice(&(S::COUNT as u64).to_le_bytes());
        (0..S::COUNT).for_each(|index| put_text(S::text(index).as_bytes(), out));
        out.extend_from_slice(&(self.indexes.len() as u64).to_le_bytes());
        out.extend_from_slice(&self.indexes);
    }
    fn clear(&mut self) {
        self.indexes.clear();
    }
    fn size_bytes(&self) -> usize {
        self.indexes.len()
    }
}

/// `LowCardinality(Nullable(String))` of open text. Key 0 is NULL.
pub type Words = Dictionary<true>;
/// `LowCardinality(String)` of open text. Key 0 is the empty text, which is what a missing one becomes.
pub type Names = Dictionary<false>;

/// A dictionary that grows with the block's values.
pub struct Dictionary<const NULLABLE: bool> {
    indexes: Vec<u32>,
    /// The keys' bytes, one after the other; `ends[i]` is where key i + 1 ends.
    text: Vec<u8>,
    ends: Vec<u32>,
    /// Open addressing; 0 is free, else a key's number.
    slots: Vec<u32>,
    last: u32,
}

/// A power of two; it doubles when half full.
const SLOTS_MIN: usize = 64;

impl<const NULLABLE: bool> Default for Dictionary<NULLABLE> {
    fn default() -> Self {
        Self { indexes: Vec::new(), text: Vec::new(), ends: Vec::new(), slots: vec![0; SLOTS_MIN], last: 0 }
    }
}

impl<const NULLABLE: bool> Dictionary<NULLABLE> {
    #[inline]
    pub fn push(&mut self, value: Option<&str>) {
        let index = match value {
            None => 0,
            Some("") if !NULLABLE => 0,
            // Runs of one value are the rule.
            Some(text) if self.last != 0 && self.key(self.last) == text.as_bytes() => self.last,
            Some(text) => self.find(text.as_bytes()),
        };
        self.indexes.push(index);
    }

    fn key(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = if number == 1 { 0 } else { self.ends[number - 2] as usize };
        &self.text[start..self.ends[number - 1] as usize]
    }

    fn find(&mut self, text: &[u8]) -> u32 {
        let mask = self.slots.len() - 1;
        let mut slot = xxh3_64(text) as usize & mask;
        while self.slots[slot] != 0 {
            if self.key(self.slots[slot]) == text {
                self.last = self.slots[slot];
                return self.last;
            }
            slot = (slot + 1) & mask;
        }
        self.text.extend_from_slice(text);
        self.ends.push(self.text.len() as u32);
        self.last = self.ends.len() as u32;
        self.slots[slot] = self.last;
        if self.ends.len() * 2 > self.slots.len() {
            self.grow();
        }
        self.last
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0; mask + 1];
        for number in 1..=self.ends.len() as u32 {
            let mut slot = xxh3_64(self.key(number)) as usize & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = number;
        }
        self.slots = slots;
    }
}

impl<const NULLABLE: bool> Column for Dictionary<NULLABLE> {
    fn type_name(&self) -> String {
        if NULLABLE { "LowCardinality(Nullable(String))" } else { "LowCardinality(String)" }.to_owned()
    }
    fn put_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&KEYS_VERSION.to_le_bytes());
    }
    fn put_values(&self, out: &mut Vec<u8>) {
        if self.indexes.is_empty() {
            return;
        }
        let keys = self.ends.len() as u64 + 1;
        let width: u64 = if keys <= 1 << 8 {
            0
        } else if keys <= 1 << 16 {
            1
        } else {
            2
        };
        out.extend_from_slice(&(OWN_KEYS | width).to_le_bytes());
        out.extend_from_slice(&keys.to_le_bytes());
        put_text(b"", out);
        (1..=self.ends.len() as u32).for_each(|number| put_text(self.key(number), out));
        out.extend_from_slice(&(self.indexes.len() as u64).to_le_bytes());
        match width {
            0 => out.extend(self.indexes.iter().map(|i| *i as u8)),
            1 => self.indexes.iter().for_each(|i| out.extend_from_slice(&(*i as u16).to_le_bytes())),
            _ => self.indexes.iter().for_each(|i| out.extend_from_slice(&i.to_le_bytes())),
        }
    }
    fn clear(&mut self) {
        self.indexes.clear();
        self.text.clear();
        self.ends.clear();
        self.slots.fill(0);
        self.last = 0;
    }
    fn size_bytes(&self) -> usize {
        self.indexes.len() * 4 + self.text.len()
    }
}
