//! `crisscross`, the program that people type.

use std::process::ExitCode;

fn main() -> ExitCode {
    crisscross::commands::main()
}
