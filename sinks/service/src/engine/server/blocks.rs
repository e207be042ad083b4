//! ClickHouse's compressed blocks: checksum (CityHash 1.0.2, 128 bits, halves swapped), method, sizes, data.

use std::io::{self, Read};

/// Bytes of the checksum.
const CHECKSUM_BYTES: usize = 16;
/// Bytes of method and the two sizes; the compressed size counts them.
const HEADER_BYTES: usize = 9;
/// Largest block taken, compressed or not; ClickHouse itself writes blocks of about 1 MiB.
const BLOCK_BYTES_MAX: usize = 256 << 20;
/// Bytes of one block that we write.
const WRITTEN_BLOCK_BYTES: usize = 1 << 20;
const METHOD_LZ4: u8 = 0x82;
const METHOD_NONE: u8 = 0x02;

/// Reads the contents of blocks.
pub(super) struct BlockReader<R> {
    source: R,
    compressed: Vec<u8>,
    block: Vec<u8>,
    at: usize,
}

impl<R: Read> BlockReader<R> {
    pub fn new(source: R) -> Self {
        Self { source, compressed: Vec::new(), block: Vec::new(), at: 0 }
    }

    /// Reads the next block; false at the end of the source, which may only lie between blocks.
    fn next_block(&mut self) -> io::Result<bool> {
        let mut head = [0; CHECKSUM_BYTES + HEADER_BYTES];
        let first = read_some(&mut self.source, &mut head)?;
        if first == 0 {
            return Ok(false);
        }
        self.source.read_exact(&mut head[first..])?;
        let (checksum, header) = head.split_at(CHECKSUM_BYTES);
        let compressed_bytes = size(&header[1..5]);
        let bytes = size(&header[5..9]);
        if !(HEADER_BYTES..=BLOCK_BYTES_MAX).contains(&compressed_bytes) || bytes > BLOCK_BYTES_MAX {
            return Err(corrupt("sizes of a compressed block out of range"));
        }
        self.compressed.clear();
        self.compressed.extend_from_slice(header);
        self.compressed.resize(compressed_bytes, 0);
        self.source.read_exact(&mut self.compressed[HEADER_BYTES..])?;
        if checksum != checksum_of(&self.compressed) {
            return Err(corrupt("checksum of a compressed block does not match"));
        }
        let data = &self.compressed[HEADER_BYTES..];
        self.at = 0;
        match header[0] {
            METHOD_LZ4 => {
                self.block.resize(bytes, 0);
                let written = lz4_flex::block::decompress_into(data, &mut self.block).map_err(|error| corrupt(&format!("LZ4: {error}")))?;
                if written != bytes {
                    return Err(corrupt("a compressed block is shorter than it says"));
                }
            }
            METHOD_NONE if data.len() == bytes => {
                self.block.clear();
                self.block.extend_from_slice(data);
            }
            _ => return Err(corrupt("unknown compression method; only LZ4 and none are understood")),
        }
        Ok(true)
    }
}

impl<R: Read> Read for BlockReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.block.len() - self.at);
        buffer[..count].copy_from_slice(&self.block[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

fn read_some(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn corrupt(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn size(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |size, byte| size << 8 | usize::from(*byte))
}

fn checksum_of(block: &[u8]) -> [u8; CHECKSUM_BYTES] {
    cityhash_rs::cityhash_102_128(block).rotate_left(64).to_le_bytes()
}

/// Packs a whole output into LZ4 blocks.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len() / 2);
    for chunk in bytes.chunks(WRITTEN_BLOCK_BYTES) {
        let data = lz4_flex::block::compress(chunk);
        let mut block = Vec::with_capacity(HEADER_BYTES + data.len());
        block.push(METHOD_LZ4);
        // Both fit: a chunk has at most WRITTEN_BLOCK_BYTES.
        block.extend_from_slice(&((HEADER_BYTES + data.len()) as u32).to_le_bytes());
        block.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
        block.extend_from_slice(&data);
        packed.extend_from_slice(&checksum_of(&block));
        packed.extend_from_slice(&block);
    }
    packed
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::{BlockReader, pack};

    fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        BlockReader::new(packed).read_to_end(&mut bytes).map(|_| bytes)
    }

    /// Only against our own writer; the `clickhouse` crate's blocks go through the reader in the engine's test.
    #[test]
    fn packed_bytes_come_back() {
        for length in [0, 1, 1000, 1 << 20, (1 << 20) + 1, 3_500_000] {
            let bytes: Vec<u8> = (0..length).map(|index: u64| (index * index / 7) as u8).collect();
            assert_eq!(unpack(&pack(&bytes)).unwrap(), bytes, "{length}");
        }
    }

    #[test]
    fn every_damage_is_noticed() {
        let packed = pack(&b"technician on site, technician on site, technician on site".repeat(20));
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x20;
            assert!(unpack(&damaged).is_err(), "byte {at}");
        }
        for length in 1..packed.len() {
            assert!(unpack(&packed[..length]).is_err(), "cut at {length}");
        }
    }
}
