//! What differs between the sinks: which records become rows of which tables.

use crate::writer::Block;
use bytes::Bytes;
use fieldline_schemas::Rejection;
use fieldline_schemas::topics::Topic;
use fieldline_sinks_rows::Position;
use fieldline_sinks_rows::native::{Columns, Rows};

/// What a record turned into.
pub(crate) enum Taken {
    /// Rows, or nothing to store (a tick).
    Stored,
    /// It is not understood.
    Poison { rejection: Rejection, stage: &'static str },
}

/// Turns records into rows, which wait in its buffers.
pub(crate) trait Encoder {
    fn take(&mut self, topic: Topic, position: Position, value: &[u8]) -> Taken;
    /// All of them: what is not named here is never inserted.
    fn buffers(&mut self) -> Vec<Buffer<'_>>;

    fn rows(&mut self) -> usize {
        self.buffers().iter().map(|buffer| buffer.rows.len()).sum()
    }

    fn size_bytes(&mut self) -> usize {
        self.buffers().iter().map(|buffer| buffer.rows.size_bytes()).sum()
    }

    /// The rows as blocks; empty afterwards.
    fn blocks(&mut self) -> Vec<Block> {
        let mut blocks = Vec::new();
        for Buffer { table, history, rows } in self.buffers().into_iter().filter(|buffer| buffer.rows.len() > 0) {
            let block = Block { table, rows: rows.len(), bytes: rows.take_block() };
            // A table and its history have the same columns, so one block serves both.
            let copy = history.map(|table| Block { table, ..block.clone() });
            blocks.push(block);
            blocks.extend(copy);
        }
        blocks
    }
}

/// Rows that wait, and where they go.
pub(crate) struct Buffer<'a> {
    table: &'static str,
    /// Where every version of them is kept.
    history: Option<&'static str>,
    rows: &'a mut dyn Waiting,
}

impl<'a> Buffer<'a> {
    pub fn of(table: &'static str, rows: &'a mut dyn Waiting) -> Self {
        Self { table, history: None, rows }
    }

    pub fn with_history(table: &'static str, history: &'static str, rows: &'a mut dyn Waiting) -> Self {
        Self { table, history: Some(history), rows }
    }
}

/// Rows of whatever table.
pub(crate) trait Waiting {
    fn len(&self) -> usize;
    fn size_bytes(&self) -> usize;
    /// The rows as a block; empty afterwards.
    fn take_block(&mut self) -> Bytes;
}

impl<C: Columns> Waiting for Rows<C> {
    fn len(&self) -> usize {
        self.len()
    }

    fn size_bytes(&self) -> usize {
        self.size_bytes()
    }

    fn take_block(&mut self) -> Bytes {
        let mut bytes = Vec::new();
        self.put_block(&mut bytes);
        self.clear();
        bytes.into()
    }
}
