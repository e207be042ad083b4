//! Reading `FORMAT RowBinary`: what the history worker gets its facts in.

/// Bytes that are not what their columns say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("row ends in the middle of a value")]
    Short,
    #[error("length of {0} bytes is larger than what is there")]
    Length(u64),
    #[error("text is not UTF-8")]
    Text,
    #[error("null flag or bool is {0}")]
    Flag(u8),
}

/// Takes values off the front of a buffer. A row is read by taking its columns in order.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

macro_rules! numbers {
    ($($name:ident: $type:ty;)*) => {$(
        pub fn $name(&mut self) -> Result<$type, Malformed> {
            Ok(<$type>::from_le_bytes(self.array()?))
        }
    )*};
}

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
    /// What is left, to be kept until more has arrived.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    numbers! { i16: i16; i32: i32; i64: i64; u16: u16; u32: u32; u64: u64; u128: u128; f64: f64; }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            flag => Err(Malformed::Flag(flag)),
        }
    }
    /// The 16 bytes in their written order.
    pub fn uuid(&mut self) -> Result<[u8; 16], Malformed> {
        Ok(self.u128()?.rotate_left(64).to_be_bytes())
    }
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        let take = usize::try_from(length).ok().filter(|l| *l <= self.rest.len()).ok_or(Malformed::Length(length))?;
        let (bytes, rest) = self.rest.split_at(take);
        self.rest = rest;
        Ok(bytes)
    }
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed::Text)
    }
    pub fn nullable<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<Option<T>, Malformed> {
        if self.bool()? { Ok(None) } else { read(self).map(Some) }
    }
    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, Malformed>) -> Result<Vec<T>, Malformed> {
        let length = self.length()?;
        // Every item takes at least a byte, so a length beyond the buffer cannot be true.
        if length > self.rest.len() as u64 {
            return Err(Malformed::Length(length));
        }
        (0..length).map(|_| read(self)).collect()
    }

    fn length(&mut self) -> Result<u64, Malformed> {
        let mut length = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            length |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(length);
            }
        }
        Err(Malformed::Length(u64::MAX))
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clickhouse_writes() {
        // SELECT toUInt32(7), 'ab', NULL::Nullable(Int16), 3::Nullable(Int16), [1,2]::Array(UInt8), true
        let bytes = [7, 0, 0, 0, 2, b'a', b'b', 1, 0, 3, 0, 2, 1, 2, 1];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u32(), Ok(7));
        assert_eq!(reader.text(), Ok("ab"));
        assert_eq!(reader.nullable(Reader::i16), Ok(None));
        assert_eq!(reader.nullable(Reader::i16), Ok(Some(3)));
        assert_eq!(reader.list(Reader::u8), Ok(vec![1, 2]));
        assert_eq!(reader.bool(), Ok(true));
        assert!(reader.is_empty());
    }

    #[test]
    fn refuses_lengths_beyond_the_buffer() {
        assert_eq!(Reader::new(&[0xff; 12]).bytes(), Err(Malformed::Length(u64::MAX)));
        assert_eq!(Reader::new(&[5, 1, 2]).bytes(), Err(Malformed::Length(5)));
        assert_eq!(Reader::new(&[1, 2]).u32(), Err(Malformed::Short));
        assert_eq!(Reader::new(&[2]).bool(), Err(Malformed::Flag(2)));
    }
}
