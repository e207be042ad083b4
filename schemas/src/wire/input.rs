//! Avro's primitives, read from and written to byte slices. Nothing here allocates for what it borrows.

use crate::rejection::{Fault, Trouble};

/// What is left to read of a payload, and, once reading has failed, where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
    field: &'static str,
    around: &'static str,
}

impl<'a> Input<'a> {
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload, field: "", around: "" }
    }

    /// Notes the field that could not be read; the two innermost names are kept. Kept here and not in the error, which
    /// every value on the good path would have to leave room for.
    #[cold]
    pub fn failed_at(&mut self, field: &'static str, trouble: Trouble) -> Trouble {
        if self.field.is_empty() {
            self.field = field;
        } else if self.around.is_empty() {
            self.around = field;
        }
        trouble
    }

    /// The trouble, and where it was met.
    #[cold]
    pub fn fault(&self, trouble: Trouble) -> Fault {
        Fault { trouble, field: self.field, around: self.around }
    }

    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    pub fn byte(&mut self) -> Result<u8, Trouble> {
        let (first, rest) = self.rest.split_first().ok_or(Trouble::Ended)?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    pub fn take(&mut self, bytes: usize) -> Result<&'a [u8], Trouble> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Trouble::Length)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Trouble> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Trouble::Ended)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned variable-length number. Longer forms than needed are legal in Avro; more than 64 bits are not, and
    /// `apache-avro` drops them silently.
    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Trouble> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        self.varint_on(first)
    }

    /// The rest of a number of more than one byte.
    fn varint_on(&mut self, first: u8) -> Result<u64, Trouble> {
        let mut number = u64::from(first & 0x7f);
        for (place, byte) in self.rest.iter().enumerate().take(9) {
            // The tenth byte holds the 64th bit and nothing else.
            if place == 8 && *byte > 1 {
                return Err(Trouble::VarintOverflow);
            }
            number |= u64::from(byte & 0x7f) << (7 * place + 7);
            if *byte < 0x80 {
                self.rest = self.rest.split_at_checked(place + 1).ok_or(Trouble::Ended)?.1;
                return Ok(number);
            }
        }
        Err(Trouble::Ended)
    }

    #[inline(always)]
    pub fn long(&mut self) -> Result<i64, Trouble> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// Avro's `int`: a `long` whose value is in the range of 32 bits.
    #[inline]
    pub fn int(&mut self) -> Result<i32, Trouble> {
        i32::try_from(self.long()?).map_err(|_| Trouble::Range)
    }

    #[inline(always)]
    pub fn bytes(&mut self) -> Result<&'a [u8], Trouble> {
        let length = usize::try_from(self.long()?).map_err(|_| Trouble::Length)?;
        self.take(length)
    }

    #[inline]
    pub fn text(&mut self) -> Result<&'a str, Trouble> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Trouble::Utf8)
    }

    #[inline]
    pub fn boolean(&mut self) -> Result<bool, Trouble> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Trouble::Boolean),
        }
    }

    /// A double; what is no number has no meaning in any field of ours.
    #[inline]
    pub fn double(&mut self) -> Result<f64, Trouble> {
        let number = f64::from_le_bytes(self.array()?);
        if number.is_finite() { Ok(number) } else { Err(Trouble::NotFinite) }
    }

    /// The items of an array, block by block. A block that states its size in bytes must have it.
    #[inline]
    pub fn items<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Trouble>) -> Result<Vec<T>, Trouble> {
        let mut items = Vec::new();
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(items);
            }
            let stated = if count < 0 { Some(usize::try_from(self.long()?).map_err(|_| Trouble::BlockSize)?) } else { None };
            let left = self.left();
            let count = usize::try_from(count.unsigned_abs()).map_err(|_| Trouble::Length)?;
            // An item of ours is at least one byte long, so that a huge count ends here and not in the allocator.
            if count > left {
                return Err(Trouble::Length);
            }
            items.reserve(count.min(256));
            for _ in 0..count {
                items.push(item(self)?);
            }
            if stated.is_some_and(|size| size != left - self.left()) {
                return Err(Trouble::BlockSize);
            }
        }
    }
}

#[inline]
pub(crate) fn put_long(number: i64, to: &mut Vec<u8>) {
    let mut zigzag = (number << 1 ^ number >> 63) as u64;
    if zigzag < 0x80 {
        to.push(zigzag as u8);
        return;
    }
    // Put together beside the buffer, which is then asked for room once and not byte by byte.
    let (mut bytes, mut last) = ([0; 10], 0);
    while zigzag >= 0x80 {
        bytes[last] = zigzag as u8 | 0x80;
        zigzag >>= 7;
        last += 1;
    }
    bytes[last] = zigzag as u8;
    // Ten bytes always are two moves; as many as there are would be a call.
    let end = to.len() + last + 1;
    to.extend_from_slice(&bytes);
    to.truncate(end);
}

#[inline]
pub(crate) fn put_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    put_long(bytes.len() as i64, to);
    to.extend_from_slice(bytes);
}

/// An array of `count` items, in one block.
#[inline]
pub(crate) fn put_items<T>(count: usize, items: impl Iterator<Item = T>, to: &mut Vec<u8>, mut put: impl FnMut(T, &mut Vec<u8>)) {
    if count > 0 {
        put_long(count as i64, to);
        items.for_each(|item| put(item, to));
    }
    to.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_at_the_edges() {
        for number in [0, -1, 1, 63, -64, 64, i64::from(i32::MAX), i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_long(number, &mut bytes);
            let mut input = Input::new(&bytes);
            assert_eq!((input.long(), input.left()), (Ok(number), 0));
        }
    }

    #[test]
    fn hostile_primitives_are_refused() {
        let long = |bytes: &[u8]| Input::new(bytes).long();
        assert_eq!(long(&[]), Err(Trouble::Ended));
        assert_eq!(long(&[0xff; 4]), Err(Trouble::Ended));
        assert_eq!(long(&[0xff; 11]), Err(Trouble::VarintOverflow));
        assert_eq!(long(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]), Err(Trouble::VarintOverflow));
        assert_eq!(long(&[0x82, 0x80, 0x00]), Ok(1), "a longer form than needed is legal");
        assert_eq!(Input::new(&[0x80, 0x80, 0x80, 0x80, 0x20]).int(), Err(Trouble::Range));
        assert_eq!(Input::new(&[0x01]).text(), Err(Trouble::Length), "length -1");
        assert_eq!(Input::new(&[0x04, b'a']).text(), Err(Trouble::Length));
        assert_eq!(Input::new(&[0x02, 0xff]).text(), Err(Trouble::Utf8));
        assert_eq!(Input::new(&[0x02]).boolean(), Err(Trouble::Boolean));
        assert_eq!(Input::new(&f64::NAN.to_le_bytes()).double(), Err(Trouble::NotFinite));
        let items = |bytes: &[u8]| Input::new(bytes).items(|i| i.byte());
        assert_eq!(items(&[0x04, 7, 8, 0]), Ok(vec![7, 8]));
        assert_eq!(items(&[0x03, 0x04, 7, 8, 0]), Ok(vec![7, 8]), "a block that states its size");
        assert_eq!(items(&[0x03, 0x06, 7, 8, 0]), Err(Trouble::BlockSize));
        assert_eq!(items(&[0xfe, 0xff, 0xff, 0xff, 0x0f, 7]), Err(Trouble::Length));
    }
}
