//! Emissions per second of the simulator, lines per second of the import's parsing.
//!
//! `cargo bench -p fieldline-producers`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldline_producers::simulate::{Faults, Simulator, SimulatorConfig};

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

criterion_group!(benches, simulate);
criterion_main!(benches);
