//! The beltwatch daemon; see README.md.
#![forbid(unsafe_code)]

mod cli;

use std::io::Write;
use std::process::ExitCode;

use beltwatch::clock;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"))
        .format(|out, record| {
            let time = clock::utc(clock::wall_seconds());
            writeln!(
                out,
                "[{time} {:<5} {}] {}",
                record.level(),
                record.target(),
                record.args()
            )
        })
        .init();
    cli::main()
}
