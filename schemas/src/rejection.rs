//! Why a record was not taken: a reason of the closed list, and what exactly, without anybody's data.

use crate::events::DeadLetterReason;
use std::fmt;

/// A record that is not understood. It goes to the dead letters, whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Rejection {
    pub reason: DeadLetterReason,
    /// Field names, lengths and positions; never a value that somebody sent.
    pub detail: String,
}

impl Rejection {
    pub fn new(reason: DeadLetterReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

/// What is wrong with one value. Small, so that the decoder's good path carries no strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The payload ends inside the value.
    Ended,
    /// A variable-length number of more than 64 bits.
    VarintOverflow,
    /// A length below zero or beyond the payload.
    Length,
    /// A block of an array whose stated size is not its size.
    BlockSize,
    Utf8,
    /// A boolean that is neither 0 nor 1.
    Boolean,
    /// A branch that the union does not have.
    Branch,
    /// An index that the enum does not have.
    Index,
    /// Bytes after the end of the record.
    LeftOver,
    /// A value of another type than the field's.
    Type,
    /// A name twice in one object.
    Duplicate,
    /// Text that is no JSON.
    Json,
    Missing,
    Uuid,
    Time,
    /// A symbol that this release does not know.
    Symbol,
    /// A number outside the range of its field.
    Range,
    /// NaN or an infinity.
    NotFinite,
    TooLong,
    TooDeep,
}

impl Trouble {
    const fn reason(self) -> DeadLetterReason {
        use DeadLetterReason as Reason;
        match self {
            Trouble::Missing => Reason::MissingField,
            Trouble::Uuid => Reason::MalformedUuid,
            Trouble::Time => Reason::MalformedTime,
            Trouble::Symbol => Reason::UnknownSymbol,
            Trouble::Range | Trouble::NotFinite => Reason::OutOfRange,
            Trouble::TooLong | Trouble::TooDeep => Reason::TooLarge,
            _ => Reason::Undecodable,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Trouble::Ended => "the payload ends inside the value",
            Trouble::VarintOverflow => "a number of more than 64 bits",
            Trouble::Length => "a length below zero or beyond the payload",
            Trouble::BlockSize => "a block that is not as long as it says",
            Trouble::Utf8 => "text that is not UTF-8",
            Trouble::Boolean => "a boolean that is neither 0 nor 1",
            Trouble::Branch => "a branch that the union does not have",
            Trouble::Index => "an index that the enum does not have",
            Trouble::LeftOver => "bytes are left after the record",
            Trouble::Type => "a value of another type",
            Trouble::Duplicate => "a key twice in one object",
            Trouble::Json => "not valid JSON",
            Trouble::Missing => "required and absent",
            Trouble::Uuid => "not a uuid",
            Trouble::Time => "not an RFC 3339 time with an offset",
            Trouble::Symbol => "a symbol that is not known here",
            Trouble::Range => "a number outside its range",
            Trouble::NotFinite => "not a finite number",
            Trouble::TooLong => "longer than its limit",
            Trouble::TooDeep => "nested deeper than the limit",
        }
    }
}

/// A trouble and where it was met: the field, and the record field around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub trouble: Trouble,
    pub field: &'static str,
    pub around: &'static str,
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, field: "", around: "" }
    }
}

impl Fault {
    /// The fault as seen from `field`; the two innermost names are kept.
    #[cold]
    pub fn within(mut self, field: &'static str) -> Self {
        if self.field.is_empty() {
            self.field = field;
        } else if self.around.is_empty() {
            self.around = field;
        }
        self
    }

    /// `kind` is the kind of record, as in the schema's name.
    #[cold]
    pub fn reject(self, kind: &str) -> Rejection {
        let dot = if self.around.is_empty() { "" } else { "." };
        let (around, field, words) = (self.around, self.field, self.trouble.words());
        let detail = match field {
            "" => format!("{kind}: {words}"),
            _ => format!("{kind}.{around}{dot}{field}: {words}"),
        };
        Rejection::new(self.trouble.reason(), detail)
    }
}
