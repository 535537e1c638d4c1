//! `crisscross`, the program that people type.

use std::process::ExitCode;

fn main() -> ExitCode {
    crisscross::failure::own_up_to_panics();
    crisscross::commands::main()
}
