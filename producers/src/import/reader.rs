//! Whole lines out of a stream of bytes.

use super::options::{CHUNK_BYTES, LINE_BYTES_MAX};
use std::io::{self, Read};

/// Whole lines that follow each other, or one line that is too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawChunk {
    /// Lines with their ends; the last line of a file may lack one.
    pub text: Vec<u8>,
    /// The number of the first line, from 1.
    pub first_line: u64,
    pub lines: u64,
    /// The text is the beginning of one line that is longer than the limit.
    pub is_cut: bool,
}

/// Cuts a stream into chunks at line ends.
pub(super) struct ChunkReader<R> {
    input: R,
    /// Read, but not yet given out.
    rest: Vec<u8>,
    next_line: u64,
    at_end: bool,
    /// What ended the stream before its end; told after the whole lines before it are given out.
    error: Option<io::Error>,
}

impl<R: Read> ChunkReader<R> {
    pub fn new(input: R) -> Self {
        Self { input, rest: Vec::new(), next_line: 1, at_end: false, error: None }
    }

    /// The number of the line that comes next.
    pub fn next_line(&self) -> u64 {
        self.next_line
    }

    pub fn next_chunk(&mut self) -> io::Result<Option<RawChunk>> {
        loop {
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            let searched = self.rest.len();
            if !self.at_end {
                match Read::by_ref(&mut self.input).take(CHUNK_BYTES as u64).read_to_end(&mut self.rest) {
                    Ok(_) => self.at_end = self.rest.len() - searched < CHUNK_BYTES,
                    Err(error) => self.error = Some(error),
                }
            }
            if self.at_end {
                let text = std::mem::take(&mut self.rest);
                return Ok((!text.is_empty()).then(|| self.chunk(text)));
            }
            if let Some(end) = self.rest[searched..].iter().rposition(|&b| b == b'\n') {
                let rest = self.rest.split_off(searched + end + 1);
                let text = std::mem::replace(&mut self.rest, rest);
                return Ok(Some(self.chunk(text)));
            }
            if self.error.is_none() && self.rest.len() > LINE_BYTES_MAX {
                return self.cut_line().map(Some);
            }
        }
    }

    fn chunk(&mut self, text: Vec<u8>) -> RawChunk {
        let ends = text.iter().filter(|&&b| b == b'\n').count() as u64;
        let lines = ends + u64::from(text.last().is_some_and(|&b| b != b'\n'));
        let first_line = self.next_line;
        self.next_line += lines;
        RawChunk { text, first_line, lines, is_cut: false }
    }

    /// Gives out the beginning of a line without end and skips to the next one.
    fn cut_line(&mut self) -> io::Result<RawChunk> {
        let mut text = std::mem::take(&mut self.rest);
        text.truncate(LINE_BYTES_MAX);
        let mut skipped = Vec::with_capacity(CHUNK_BYTES);
        while !self.at_end {
            skipped.clear();
            let taken = Read::by_ref(&mut self.input).take(CHUNK_BYTES as u64).read_to_end(&mut skipped)?;
            self.at_end = taken < CHUNK_BYTES;
            if let Some(end) = skipped.iter().position(|&b| b == b'\n') {
                self.rest = skipped.split_off(end + 1);
                break;
            }
        }
        let first_line = self.next_line;
        self.next_line += 1;
        Ok(RawChunk { text, first_line, lines: 1, is_cut: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<RawChunk> {
        let mut reader = ChunkReader::new(text);
        std::iter::from_fn(|| reader.next_chunk().unwrap()).collect()
    }

    #[test]
    fn lines_are_whole_and_numbered_whatever_the_chunks() {
        let text: Vec<u8> = (1..=60_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let chunks = read(&text);
        assert!(chunks.len() > 1);
        let mut next = 1;
        for chunk in &chunks {
            assert_eq!(chunk.first_line, next);
            assert!(chunk.text.starts_with(format!("line {next}\n").as_bytes()));
            next += chunk.lines;
        }
        assert_eq!(next, 60_001);
        assert_eq!(chunks.iter().flat_map(|c| c.text.clone()).collect::<Vec<_>>(), text);
    }

    #[test]
    fn the_last_line_needs_no_end() {
        let chunks = read(b"a\nb");
        assert_eq!((chunks.len(), chunks[0].lines), (1, 2));
        assert!(read(b"").is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() {
        let mut text = b"first\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * LINE_BYTES_MAX));
        text.extend_from_slice(b"\nlast\n");
        let chunks = read(&text);
        let cut: Vec<_> = chunks.iter().filter(|c| c.is_cut).map(|c| (c.first_line, c.text.len())).collect();
        assert_eq!(cut, [(2, LINE_BYTES_MAX)]);
        let last = chunks.last().unwrap();
        assert_eq!((last.first_line, last.text.as_slice()), (3, b"last\n".as_slice()));
    }
}
