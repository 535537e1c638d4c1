//! Other programs: started, and their failures told.

use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One line about what happens next.
pub fn say(what: &str) {
    eprintln!("== {what}");
}

/// A program about to be started in a folder.
pub struct Shell {
    command: Command,
    shown: OsString,
}

impl Shell {
    /// `program` in `folder`.
    pub fn new(program: impl AsRef<OsStr>, folder: &Path) -> Self {
        let mut command = Command::new(&program);
        command.current_dir(folder);
        Self {
            command,
            shown: program.as_ref().to_owned(),
        }
    }

    /// One more argument.
    pub fn arg(self, argument: impl AsRef<OsStr>) -> Self {
        self.args([argument])
    }

    /// More arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        for argument in arguments {
            self.shown.push(" ");
            self.shown.push(argument.as_ref());
            self.command.arg(argument);
        }
        self
    }

    /// Sets a variable for this program alone.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs it with the terminal attached; its exit code.
    pub fn status(mut self) -> Result<i32> {
        let shown = self.shown.to_string_lossy().into_owned();
        let status = self
            .command
            .status()
            .with_context(|| format!("cannot start `{shown}`"))?;
        Ok(status.code().unwrap_or(1))
    }

    /// Runs it with the terminal attached; an exit code other than 0 is an error.
    pub fn run(self) -> Result<()> {
        let shown = self.shown.to_string_lossy().into_owned();
        match self.status()? {
            0 => Ok(()),
            code => bail!("`{shown}` ended with code {code}"),
        }
    }

    /// Runs it silently; its standard output if it succeeded.
    pub fn output(mut self) -> Option<String> {
        let output = self
            .command
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// The cargo that runs this, in the repository.
pub fn cargo(root: &Path) -> Shell {
    Shell::new(
        std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        root,
    )
}

/// Where cargo puts what it builds.
pub fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}
