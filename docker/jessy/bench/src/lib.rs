//! What is measured of the core: its modules as they are in the program, each function with the
//! input of an ordinary request.
#![allow(dead_code)] // the rest of the modules

#[path = "../../core/src/config.rs"]
mod config;
#[path = "../../core/src/counters.rs"]
mod counters;
#[path = "../../core/src/redact.rs"]
mod redact;

use std::{env, hint::black_box, path::PathBuf};

use config::{Config, Environment, Secret};
use counters::Counters;
use redact::Redactor;

/// A function to measure and its name.
pub type Case = (&'static str, Box<dyn FnMut()>);

/// A secret as the stack makes them, which `Config` reads from its file.
fn secret(directory: &std::path::Path, name: &str) -> Secret {
    let path = directory.join(name);
    std::fs::write(&path, format!("{name}-of-the-benchmark/+\"")).unwrap();
    // SAFETY: no other thread runs yet.
    unsafe { env::set_var("DB_PASSWORD_FILE", &path) };
    Config::for_migrate(&Environment::of_process()).unwrap().database.password
}

/// All cases. `SEEDED_WORK` (100) is the work of the case `seeded` in percent: what a comparison
/// has to find when it is raised.
pub fn cases() -> Vec<Case> {
    let directory: PathBuf = env::temp_dir().join(format!("jessy-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let secrets = [secret(&directory, "db_password"), secret(&directory, "api_token")];
    let redactor = Redactor::new(&secrets);
    let fields = r#"{"level":"info","service":"jessy-core","route":"/notes","status":201,"ms":3}"#;
    let clean = fields.to_owned();
    let leaking = format!("{fields} password={}", secrets[0].expose());
    let large = fields.repeat(200);
    let counters = Counters::open(&directory).unwrap();
    let snapshots = Counters::open(&directory).unwrap();
    let work: u64 = env::var("SEEDED_WORK").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let environment = Environment::of_process();
    let mut id = 0i64;
    let mask = redactor.clone();
    let mask_large = redactor.clone();
    vec![
        ("redact_clean_line", Box::new(move || drop(black_box(redactor.text(clean.clone()))))),
        ("redact_leaking_line", Box::new(move || drop(black_box(mask.text(leaking.clone()))))),
        ("redact_16_kB", Box::new(move || drop(black_box(mask_large.text(large.clone()))))),
        ("redactor_new", Box::new(move || drop(black_box(Redactor::new(&secrets))))),
        (
            "counters_note_written",
            Box::new(move || {
                id += 1;
                counters.note_written(black_box(id));
            }),
        ),
        (
            "counters_snapshot_json",
            Box::new(move || {
                drop(black_box(serde_json::to_string(&snapshots.snapshot()).unwrap()));
            }),
        ),
        (
            "config_read",
            Box::new(move || {
                black_box(Config::for_migrate(&environment).is_ok());
            }),
        ),
        (
            "seeded",
            Box::new(move || {
                let mut value = black_box(1u64);
                for _ in 0..work * 20 {
                    value =
                        black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                }
                black_box(value);
            }),
        ),
    ]
}
