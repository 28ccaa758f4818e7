//! The core's functions by criterion: `cargo bench`.

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, mut call) in jessy_bench::cases() {
        criterion.bench_function(name, |bencher| bencher.iter(&mut call));
    }
    criterion.final_summary();
}
