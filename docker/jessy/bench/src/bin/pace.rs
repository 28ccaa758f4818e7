//! Measures on demand, a little at a time, so that two versions can take turns on one machine.
//!
//! Each line of standard input is `NAME MILLISECONDS`; the answer is the time of one call in
//! nanoseconds. The calls are timed in batches of about a millisecond, and the fastest tenth
//! counts: what else the machine does makes a batch slower, and none faster.

use std::{
    io::{self, BufRead as _, Write as _},
    time::{Duration, Instant},
};

/// However long the machine leaves the program waiting meanwhile.
const BATCHES: usize = 30;
const BATCH: Duration = Duration::from_micros(500);

fn main() {
    let mut cases: Vec<(jessy_bench::Case, u32)> =
        jessy_bench::cases().into_iter().map(|case| (case, 0)).collect();
    for line in io::stdin().lock().lines() {
        let line = line.unwrap();
        let mut words = line.split_whitespace();
        let (Some(name), Some(milliseconds)) = (words.next(), words.next()) else {
            // An empty line asks for the names.
            let names: Vec<&str> = cases.iter().map(|((name, _), _)| *name).collect();
            println!("{}", names.join(" "));
            continue;
        };
        let window = Duration::from_millis(milliseconds.parse().expect("milliseconds"));
        let Some(((_, call), batch)) = cases.iter_mut().find(|((known, _), _)| *known == name)
        else {
            println!("nan");
            continue;
        };
        if *batch == 0 {
            *batch = calls_in_a_batch(call.as_mut());
        }
        println!("{}", measure(call.as_mut(), *batch, window));
        io::stdout().flush().unwrap();
    }
}

fn time(call: &mut dyn FnMut(), calls: u32) -> Duration {
    let started = Instant::now();
    for _ in 0..calls {
        call();
    }
    started.elapsed()
}

fn calls_in_a_batch(call: &mut dyn FnMut()) -> u32 {
    let mut calls = 1;
    while calls < 1 << 24 && time(call, calls) < BATCH {
        calls *= 2;
    }
    calls
}

fn measure(call: &mut dyn FnMut(), calls: u32, window: Duration) -> f64 {
    let until = Instant::now() + window;
    let mut times = vec![time(call, calls)];
    while Instant::now() < until || times.len() < BATCHES {
        times.push(time(call, calls));
    }
    times.sort();
    times[times.len() / 10].as_secs_f64() * 1e9 / f64::from(calls)
}
