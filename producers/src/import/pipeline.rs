//! One thread reads, several parse, the caller's takes the chunks in the order of the file.

use super::error::ImportError;
use super::options::{CHUNKS_WAITING_MAX, ImportOptions, PARSERS_MAX, PROGRESS_EVERY};
use super::parse::{ParsePlan, ParsedChunk, Parser};
use super::reader::{ChunkReader, RawChunk};
use super::source::Source;
use super::summary::{ImportSummary, Progress};
use crate::publisher::{PublishError, machine_time};
use fieldline_schemas::Timestamp;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What takes the chunks.
pub(super) type Take<'t> = dyn FnMut(&ParsedChunk) -> Result<(), PublishError> + 't;

pub(super) fn run(
    sources: &[Source],
    options: &ImportOptions,
    plan: ParsePlan,
    progress: &mut dyn FnMut(&Progress),
    take: &mut Take<'_>,
) -> Result<ImportSummary, ImportError> {
    let now = plan.received_at.unwrap_or_else(machine_time);
    let mut run = Run {
        options,
        plan,
        now,
        started: Instant::now(),
        told: Instant::now(),
        files_total: sources.len(),
        bytes_read: Arc::new(AtomicU64::new(0)),
        bytes_total: sources.iter().map(Source::bytes_total).sum(),
        summary: ImportSummary::default(),
    };
    for source in sources {
        run.summary.files += 1;
        run.file(source, progress, take)?;
    }
    run.summary.elapsed = run.started.elapsed();
    Ok(run.summary)
}

struct Run<'a> {
    options: &'a ImportOptions,
    plan: ParsePlan,
    now: Timestamp,
    started: Instant,
    told: Instant,
    files_total: usize,
    bytes_read: Arc<AtomicU64>,
    bytes_total: Option<u64>,
    summary: ImportSummary,
}

impl Run<'_> {
    fn file(&mut self, source: &Source, progress: &mut dyn FnMut(&Progress), take: &mut Take<'_>) -> Result<(), ImportError> {
        let input = source.open(Arc::clone(&self.bytes_read))?;
        let (raw_in, raw_out) = sync_channel::<(u64, RawChunk)>(CHUNKS_WAITING_MAX);
        let (parsed_in, parsed_out) = sync_channel::<(u64, ParsedChunk)>(CHUNKS_WAITING_MAX);
        let raw_out = Arc::new(Mutex::new(raw_out));
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || read_all(ChunkReader::new(input), &raw_in));
            for _ in 0..self.options.parsers.clamp(1, PARSERS_MAX) {
                let (raw_out, parsed_in) = (Arc::clone(&raw_out), parsed_in.clone());
                let parser = Parser::new(source, self.plan.clone(), self.now);
                scope.spawn(move || parse_all(parser, &raw_out, &parsed_in));
            }
            // The threads hold the only ends from here on, so that each stops when its neighbour does.
            drop((raw_out, parsed_in));
            self.take_in_order(source, parsed_out, progress, take)?;
            match reader.join() {
                Ok((_, Ok(()))) => Ok(()),
                Ok((line, Err(error))) => Err(ImportError::Read { file: source.name(), line, source: error }),
                Err(_) => Err(ImportError::Stopped { file: source.name() }),
            }
        })?;
        self.tell(source, progress);
        Ok(())
    }

    fn take_in_order(
        &mut self,
        source: &Source,
        parsed: Receiver<(u64, ParsedChunk)>,
        progress: &mut dyn FnMut(&Progress),
        take: &mut Take<'_>,
    ) -> Result<(), ImportError> {
        let mut next = 0;
        // Bounded by the number of parsers: each holds one chunk.
        let mut early = BTreeMap::new();
        for (number, chunk) in parsed {
            early.insert(number, chunk);
            while let Some(mut chunk) = early.remove(&next) {
                next += 1;
                take(&chunk).map_err(|error| ImportError::Append {
                    file: source.name(),
                    line: chunk.first_line,
                    source: Box::new(error),
                })?;
                self.summary.add(&mut chunk, self.options.refused_kept_max);
                if self.told.elapsed() >= PROGRESS_EVERY {
                    self.tell(source, progress);
                }
            }
        }
        if early.is_empty() { Ok(()) } else { Err(ImportError::Stopped { file: source.name() }) }
    }

    fn tell(&mut self, source: &Source, progress: &mut dyn FnMut(&Progress)) {
        self.told = Instant::now();
        progress(&Progress {
            file: source.name(),
            file_number: self.summary.files as usize,
            files_total: self.files_total,
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_total: self.bytes_total,
            lines: self.summary.lines,
            events: self.summary.events,
            refused: self.summary.refused,
            elapsed: self.started.elapsed(),
        });
    }
}

/// The lines read, and how that ended.
fn read_all(mut reader: ChunkReader<impl io::Read>, to: &SyncSender<(u64, RawChunk)>) -> (u64, io::Result<()>) {
    for number in 0.. {
        match reader.next_chunk() {
            Ok(Some(chunk)) => {
                if to.send((number, chunk)).is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => return (reader.next_line() - 1, Err(error)),
        }
    }
    (reader.next_line() - 1, Ok(()))
}

fn parse_all(mut parser: Parser, from: &Mutex<Receiver<(u64, RawChunk)>>, to: &SyncSender<(u64, ParsedChunk)>) {
    loop {
        // Held only while taking one chunk; whoever waits inside is the next to be served.
        let next = from.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, raw)) = next else { return };
        if to.send((number, parser.parse(&raw))).is_err() {
            return;
        }
    }
}
