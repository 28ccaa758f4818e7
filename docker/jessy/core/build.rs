//! Lists `migrations/NNNN_name.sql` in a table that is compiled into the program.

use std::{env, fmt::Write as _, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    let directory = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("migrations");
    let mut names: Vec<String> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".sql"))
        .collect();
    names.sort();

    let mut table = String::from("pub static MIGRATIONS: &[Migration] = &[\n");
    for (index, name) in names.iter().enumerate() {
        let stem = name.trim_end_matches(".sql");
        let version = stem.split('_').next().and_then(|number| number.parse::<usize>().ok());
        // A gap or a number used twice is a merge gone wrong: better found here than in production.
        assert!(
            version == Some(index + 1),
            "migrations/{name}: expected a name that starts with {:04}_",
            index + 1
        );
        let path = directory.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(
            table,
            "    Migration {{ version: {}, name: {stem:?}, sql: include_str!({:?}) }},",
            index + 1,
            path.display().to_string()
        )
        .unwrap();
    }
    table.push_str("];\n");
    let out = Path::new(&env::var("OUT_DIR").unwrap()).join("migrations.rs");
    fs::write(out, table).unwrap();
}
