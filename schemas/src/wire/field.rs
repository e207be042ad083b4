//! The binary form of each type of field, and of each record as the sum of its fields.
//!
//! `read` and `write` are the fast codec for exactly our current schemas; `wire::values` is the bridge to `apache-avro`
//! for all others, and a test holds the two equal.

use super::input::{Input, put_bytes, put_items, put_long};
use super::records::{each_record, plain};
use super::tombstone::Tombstone;
use crate::alerts::*;
use crate::anomaly::{Anomalies, Anomaly};
use crate::events::*;
use crate::ids::*;
use crate::rejection::Trouble;
use crate::results::*;
use crate::time::Timestamp;
use crate::version::Version;
use std::borrow::Cow;

pub(crate) trait Field<'a>: Sized {
    fn read(input: &mut Input<'a>) -> Result<Self, Trouble>;
    fn write(&self, to: &mut Vec<u8>);
}

/// A closed set of symbols; the index on the wire is the place in `ALL`. One more index, the default of the schema, stands
/// for every symbol that this release does not know: it decodes into a rejection, never into a value.
pub(crate) trait Symbols: Copy + 'static {
    const ALL: &'static [Self];
    fn symbol(self) -> &'static str;
    fn index(self) -> usize;
}

macro_rules! symbol_sets {
    ($($name:ident)*) => {$(
        impl Symbols for $name {
            const ALL: &'static [Self] = $name::ALL;
            fn symbol(self) -> &'static str { $name::symbol(self) }
            fn index(self) -> usize { self as usize }
        }
        impl<'a> Field<'a> for $name {
            #[inline]
            fn read(input: &mut Input<'a>) -> Result<Self, Trouble> { read_symbol(input) }
            #[inline]
            fn write(&self, to: &mut Vec<u8>) { put_long(self.index() as i64, to) }
        }
    )*};
}
symbol_sets! {
    ActivityType CallType CallOutcome EventCategory Severity ActionKind ResolveReason ContactKind DeadLetterReason Quality Finality
    FlagCode FlagOrigin FlagStanding AlertState AlertStep DeliveryOutcome
}

impl Symbols for Anomaly {
    const ALL: &'static [Self] = Anomaly::ALL;
    fn symbol(self) -> &'static str {
        self.code()
    }
    fn index(self) -> usize {
        self as usize
    }
}

#[inline]
fn read_symbol<S: Symbols>(input: &mut Input<'_>) -> Result<S, Trouble> {
    let index = usize::try_from(input.int()?).map_err(|_| Trouble::Index)?;
    match S::ALL.get(index) {
        Some(symbol) => Ok(*symbol),
        None if index == S::ALL.len() => Err(Trouble::Symbol),
        None => Err(Trouble::Index),
    }
}

macro_rules! id_fields {
    ($($name:ident)*) => {$(
        impl<'a> Field<'a> for $name {
            #[inline]
            fn read(input: &mut Input<'a>) -> Result<Self, Trouble> { Ok($name::from_bytes(input.array()?)) }
            #[inline]
            fn write(&self, to: &mut Vec<u8>) { to.extend_from_slice(self.as_bytes()) }
        }
    )*};
}
id_fields! { EventId ContactId TechnicianId VisitId VehicleId MessageId ThreadId JobId }

macro_rules! plain_fields {
    ($($type:ty: |$input:ident| $read:expr, |$value:ident, $to:ident| $write:expr;)*) => {$(
        impl<'a> Field<'a> for $type {
            #[inline(always)]
            fn read($input: &mut Input<'a>) -> Result<Self, Trouble> { Ok($read) }
            #[inline(always)]
            fn write(&self, $to: &mut Vec<u8>) { let $value = self; $write }
        }
    )*};
}
plain_fields! {
    bool: |input| input.boolean()?, |value, to| to.push(u8::from(*value));
    i16: |input| i16::try_from(input.int()?).map_err(|_| Trouble::Range)?, |value, to| put_long(i64::from(*value), to);
    i32: |input| input.int()?, |value, to| put_long(i64::from(*value), to);
    i64: |input| input.long()?, |value, to| put_long(*value, to);
    u32: |input| u32::try_from(input.long()?).map_err(|_| Trouble::Range)?, |value, to| put_long(i64::from(*value), to);
    f64: |input| input.double()?, |value, to| to.extend_from_slice(&value.to_le_bytes());
    Timestamp: |input| Timestamp(input.long()?), |value, to| put_long(value.0, to);
    Version: |input| Version(input.long()? as u64), |value, to| put_long(value.0 as i64, to);
    Cow<'a, str>: |input| Cow::Borrowed(input.text()?), |value, to| put_bytes(value.as_bytes(), to);
    Cow<'a, [u8]>: |input| Cow::Borrowed(input.bytes()?), |value, to| put_bytes(value, to);
    Anomalies: |input| input.items(read_symbol::<Anomaly>)?.into_iter().collect(),
        |value, to| put_items(value.len(), value.iter(), to, |code, to| put_long(code.index() as i64, to));
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    #[inline(always)]
    fn read(input: &mut Input<'a>) -> Result<Self, Trouble> {
        match input.long()? {
            0 => Ok(None),
            1 => T::read(input).map(Some),
            _ => Err(Trouble::Branch),
        }
    }
    #[inline]
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            None => to.push(0),
            Some(value) => {
                to.push(2);
                value.write(to);
            }
        }
    }
}

impl<'a, T: Field<'a>> Field<'a> for Vec<T> {
    #[inline]
    fn read(input: &mut Input<'a>) -> Result<Self, Trouble> {
        input.items(T::read)
    }
    #[inline]
    fn write(&self, to: &mut Vec<u8>) {
        put_items(self.len(), self.iter(), to, T::write);
    }
}

macro_rules! record_fields {
    ($($name:ident $(<$life:lifetime>)? [$($group:ident)?] { $($field:ident,)* })*) => {$(
        impl<'a> Field<'a> for $name $(<$life>)? {
            #[inline(always)]
            fn read(input: &mut Input<'a>) -> Result<Self, Trouble> {
                Ok(Self {
                    $($group: Field::read(input)?,)?
                    $($field: match Field::read(input) {
                        Ok(value) => value,
                        Err(trouble) => return Err(input.failed_at(plain(stringify!($field)), trouble)),
                    },)*
                })
            }
            #[inline]
            fn write(&self, to: &mut Vec<u8>) {
                $(self.$group.write(to);)?
                $(self.$field.write(to);)*
            }
        }
    )*};
}
each_record!(record_fields);
