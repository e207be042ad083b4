//! Columns of ClickHouse's Native format, as it is without a client protocol version (plain HTTP).
//!
//! A block is: the number of columns, the number of rows, then column by column its name, its type, a prefix that only
//! LowCardinality has, and the values. Columns keep their buffers between blocks, so that a running sink allocates
//! nothing per row.

/// Appends an unsigned number in LEB128, the format's length prefix.
pub fn put_length(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends text or bytes with their length.
pub fn put_text(text: &[u8], out: &mut Vec<u8>) {
    put_length(text.len() as u64, out);
    out.extend_from_slice(text);
}

/// One column's values of one block.
pub trait Column {
    /// The type as ClickHouse writes it.
    fn type_name(&self) -> String;
    /// What stands before the values; of a nested type the prefixes of all its parts.
    fn put_prefix(&self, _out: &mut Vec<u8>) {}
    fn put_values(&self, out: &mut Vec<u8>);
    /// Forgets the values and keeps the memory.
    fn clear(&mut self);
    /// How many bytes the values take, about.
    fn size_bytes(&self) -> usize;
}

/// A column, or a group of columns that belong together.
pub trait Columns {
    /// Calls back for each column in order. `name` is the field's name; a group derives its columns' names from it, or
    /// has names of its own.
    fn each(&self, name: &str, visit: &mut dyn FnMut(&str, &dyn Column));
    fn clear(&mut self);
    fn size_bytes(&self) -> usize;
}

impl<C: Column> Columns for C {
    fn each(&self, name: &str, visit: &mut dyn FnMut(&str, &dyn Column)) {
        visit(name, self);
    }
    fn clear(&mut self) {
        Column::clear(self);
    }
    fn size_bytes(&self) -> usize {
        Column::size_bytes(self)
    }
}

/// Declares a struct of columns; the fields' names are the columns' names, in this order.
macro_rules! columns {
    ($(#[$doc:meta])* $vis:vis struct $name:ident { $($field:ident: $column:ty,)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        $vis struct $name { $(pub(crate) $field: $column,)* }
        impl $crate::native::Columns for $name {
            fn each(&self, _name: &str, visit: &mut dyn FnMut(&str, &dyn $crate::native::Column)) {
                $($crate::native::Columns::each(&self.$field, stringify!($field), visit);)*
            }
            fn clear(&mut self) {
                $($crate::native::Columns::clear(&mut self.$field);)*
            }
            fn size_bytes(&self) -> usize {
                0 $(+ $crate::native::Columns::size_bytes(&self.$field))*
            }
        }
    };
}
pub(crate) use columns;

/// Rows of one table, waiting to become a block.
#[derive(Default)]
pub struct Rows<C> {
    pub(crate) columns: C,
    pub(crate) rows: usize,
}

impl<C: Columns> Rows<C> {
    pub fn len(&self) -> usize {
        self.rows
    }
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
    /// How many bytes a block of these rows takes, about.
    pub fn size_bytes(&self) -> usize {
        self.columns.size_bytes()
    }
    /// Appends the rows as one Native block. A block without rows must not be sent: there is nothing to say.
    pub fn put_block(&self, out: &mut Vec<u8>) {
        let mut count = 0;
        self.columns.each("", &mut |_, _| count += 1);
        out.reserve(self.size_bytes() + 64 * count as usize);
        put_length(count, out);
        put_length(self.rows as u64, out);
        self.columns.each("", &mut |name, column| {
            put_text(name.as_bytes(), out);
            put_text(column.type_name().as_bytes(), out);
            column.put_prefix(out);
            column.put_values(out);
        });
    }
    pub fn clear(&mut self) {
        self.columns.clear();
        self.rows = 0;
    }
    /// Names and types in order, as `DESCRIBE TABLE` gives them.
    pub fn description(&self) -> Vec<(String, String)> {
        let mut description = Vec::new();
        self.columns.each("", &mut |name, column| description.push((name.to_owned(), column.type_name())));
        description
    }
}

/// A value of fixed width.
pub trait Scalar: Default {
    type Value: Copy;
    const TYPE: &'static str;
    /// What stands in the place of a missing value.
    const FILLER: Self::Value;
    fn put(value: Self::Value, out: &mut Vec<u8>);
}

macro_rules! scalars {
    ($($(#[$doc:meta])* $name:ident($value:ty) = $type:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        pub struct $name;
        impl Scalar for $name {
            type Value = $value;
            const TYPE: &'static str = $type;
            const FILLER: $value = 0 as $value;
            #[inline]
            fn put(value: $value, out: &mut Vec<u8>) {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
    )*};
}

scalars! {
    Int16(i16) = "Int16";
    Int32(i32) = "Int32";
    Int64(i64) = "Int64";
    UInt32(u32) = "UInt32";
    UInt64(u64) = "UInt64";
    UInt128(u128) = "UInt128";
    Float64(f64) = "Float64";
    /// Days since 1970-01-01.
    Date(i32) = "Date32";
    /// Microseconds since the epoch.
    Instant(i64) = "DateTime64(6, 'UTC')";
    /// Microseconds in, seconds to the reader.
    Seconds(i64) = "Decimal(18, 6)";
    /// A quality of a duration; the number is the order from good to bad.
    QualityCode(u8) = "Enum8('observed' = 0, 'imputed' = 1, 'open' = 2)";
    FinalityCode(u8) = "Enum8('provisional' = 0, 'final' = 1)";
    UInt8(u8) = "UInt8";
}

#[derive(Default)]
pub struct Bool;
impl Scalar for Bool {
    type Value = bool;
    const TYPE: &'static str = "Bool";
    const FILLER: bool = false;
    #[inline]
    fn put(value: bool, out: &mut Vec<u8>) {
        out.push(u8::from(value));
    }
}

/// The format stores a UUID as two little-endian halves, the high one first.
#[derive(Default)]
pub struct Uuid;
impl Scalar for Uuid {
    type Value = [u8; 16];
    const TYPE: &'static str = "UUID";
    const FILLER: [u8; 16] = [0; 16];
    #[inline]
    fn put(value: [u8; 16], out: &mut Vec<u8>) {
        out.extend_from_slice(&u128::from_be_bytes(value).rotate_left(64).to_le_bytes());
    }
}

/// A column without missing values.
#[derive(Default)]
pub struct Plain<S> {
    values: Vec<u8>,
    scalar: std::marker::PhantomData<S>,
}

impl<S: Scalar> Plain<S> {
    #[inline]
    pub fn push(&mut self, value: S::Value) {
        S::put(value, &mut self.values);
    }
}

impl<S: Scalar> Column for Plain<S> {
    fn type_name(&self) -> String {
        S::TYPE.to_owned()
    }
    fn put_values(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.values);
    }
    fn clear(&mut self) {
        self.values.clear();
    }
    fn size_bytes(&self) -> usize {
        self.values.len()
    }
}

/// A column with missing values: a byte per row that says so, then the values.
#[derive(Default)]
pub struct Nullable<S> {
    missing: Vec<u8>,
    values: Vec<u8>,
    scalar: std::marker::PhantomData<S>,
}

impl<S: Scalar> Nullable<S> {
    #[inline]
    pub fn push(&mut self, value: Option<S::Value>) {
        self.missing.push(u8::from(value.is_none()));
        S::put(value.unwrap_or(S::FILLER), &mut self.values);
    }
}

impl<S: Scalar> Column for Nullable<S> {
    fn type_name(&self) -> String {
        format!("Nullable({})", S::TYPE)
    }
    fn put_values(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.missing);
        out.extend_from_slice(&self.values);
    }
    fn clear(&mut self) {
        self.missing.clear();
        self.values.clear();
    }
    fn size_bytes(&self) -> usize {
        self.missing.len() + self.values.len()
    }
}

/// Text or bytes.
#[derive(Default)]
pub struct Text {
    values: Vec<u8>,
}

impl Text {
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        put_text(value, &mut self.values);
    }
}

impl Column for Text {
    fn type_name(&self) -> String {
        "String".to_owned()
    }
    fn put_values(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.values);
    }
    fn clear(&mut self) {
        self.values.clear();
    }
    fn size_bytes(&self) -> usize {
        self.values.len()
    }
}

/// Text that may be missing.
#[derive(Default)]
pub struct NullableText {
    missing: Vec<u8>,
    values: Vec<u8>,
}

impl NullableText {
    #[inline]
    pub fn push(&mut self, value: Option<&str>) {
        self.missing.push(u8::from(value.is_none()));
        put_text(value.unwrap_or_default().as_bytes(), &mut self.values);
    }
}

impl Column for NullableText {
    fn type_name(&self) -> String {
        "Nullable(String)".to_owned()
    }
    fn put_values(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.missing);
        out.extend_from_slice(&self.values);
    }
    fn clear(&mut self) {
        self.missing.clear();
        self.values.clear();
    }
    fn size_bytes(&self) -> usize {
        self.missing.len() + self.values.len()
    }
}

/// A list per row: push the items into `items`, then `close` the row's list.
#[derive(Default)]
pub struct List<C> {
    ends: Vec<u8>,
    length: u64,
    pub(crate) items: C,
}

impl<C> List<C> {
    /// Ends this row's list, which has `count` items.
    #[inline]
    pub fn close(&mut self, count: usize) {
        self.length += count as u64;
        self.ends.extend_from_slice(&self.length.to_le_bytes());
    }
}

impl<C: Column> Column for List<C> {
    fn type_name(&self) -> String {
        format!("Array({})", self.items.type_name())
    }
    fn put_prefix(&self, out: &mut Vec<u8>) {
        self.items.put_prefix(out);
    }
    fn put_values(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ends);
        self.items.put_values(out);
    }
    fn clear(&mut self) {
        self.ends.clear();
        self.length = 0;
        self.items.clear();
    }
    fn size_bytes(&self) -> usize {
        self.ends.len() + self.items.size_bytes()
    }
}

/// Columns as one column of named tuples.
#[derive(Default)]
pub struct Tuple<C> {
    pub(crate) elements: C,
}

impl<C: Columns> Column for Tuple<C> {
    fn type_name(&self) -> String {
        let mut elements = Vec::new();
        self.elements.each("", &mut |name, column| elements.push(format!("{name} {}", column.type_name())));
        format!("Tuple({})", elements.join(", "))
    }
    fn put_prefix(&self, out: &mut Vec<u8>) {
        self.elements.each("", &mut |_, column| column.put_prefix(out));
    }
    fn put_values(&self, out: &mut Vec<u8>) {
        self.elements.each("", &mut |_, column| column.put_values(out));
    }
    fn clear(&mut self) {
        self.elements.clear();
    }
    fn size_bytes(&self) -> usize {
        self.elements.size_bytes()
    }
}
