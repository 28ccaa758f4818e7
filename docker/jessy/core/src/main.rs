//! The program. It knows the version and nothing else, so that a new version
//! compiles this file alone and links again.

use std::process::ExitCode;

const VERSION: &str = match option_env!("VERSION") {
    Some(version) => version,
    None => "dev",
};

fn main() -> ExitCode {
    jessy_core::run(VERSION)
}
