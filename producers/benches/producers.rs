//! Emissions per second of the simulator, lines per second of the import's parsing.
//!
//! `cargo bench -p fieldline-producers`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldline_producers::import::{ImportOptions, Source, plan_as_live};
use fieldline_producers::simulate::{Faults, Simulator, SimulatorConfig, to_ndjson};
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Read};

fn simulate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulate");
    group.sample_size(10);
    for (name, faults) in [("none", Faults::none()), ("light", Faults::light()), ("heavy", Faults::heavy())] {
        let config = SimulatorConfig { technicians: 10_000, faults, ..SimulatorConfig::default() };
        let emissions = Simulator::new(config.clone()).map_or(0, |s| s.count() as u64);
        group.throughput(Throughput::Elements(emissions));
        group.bench_function(name, |bencher| {
            bencher.iter(|| Simulator::new(config.clone()).map_or(0, |s| s.map(|e| e.at.0 & 1).sum::<i64>()))
        });
    }
    group.finish();
}

/// Lines of a file to encoded records in order: reading, gunzip, JSON, validation, Avro.
fn import(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("fieldline-bench-{}", std::process::id()));
    let (plain, packed) = (folder.join("events.ndjson"), folder.join("events.ndjson.gz"));
    let config = SimulatorConfig { technicians: 2_000, faults: Faults::light(), ..SimulatorConfig::default() };
    let written = std::fs::create_dir_all(&folder).and_then(|()| File::create(&plain)).ok().zip(Simulator::new(config.clone()).ok());
    let Some(counts) = written.and_then(|(file, simulator)| to_ndjson(simulator, &mut BufWriter::new(file)).ok()) else { return };
    let gzip = flate2::Compression::new(6);
    let packed_ok = File::open(&plain)
        .and_then(|mut from| std::io::copy(&mut from, &mut flate2::write::GzEncoder::new(File::create(&packed)?, gzip)))
        .is_ok();
    assert!(packed_ok, "the packed file is written");
    let mut group = criterion.benchmark_group("import");
    group.sample_size(10);
    group.throughput(Throughput::Elements(counts.lines));
    for (name, path) in [("plain", &plain), ("gzip", &packed)] {
        for parsers in [1, 2] {
            let (sources, options) = ([Source::File(path.clone())], ImportOptions { parsers, ..ImportOptions::default() });
            group.bench_function(format!("{name}, {parsers} parsers"), |bencher| {
                bencher.iter(|| plan_as_live(&sources, &options, &mut |_| {}).map_or(0, |plan| black_box(plan.len())));
            });
        }
    }
    group.bench_function("gunzip alone", |bencher| {
        bencher.iter(|| {
            let mut text = Vec::new();
            File::open(&packed).and_then(|f| flate2::read::MultiGzDecoder::new(f).read_to_end(&mut text)).map_or(0, black_box)
        });
    });
    group.finish();
    let _ = std::fs::remove_dir_all(&folder);
}

criterion_group!(benches, simulate, import);
criterion_main!(benches);
