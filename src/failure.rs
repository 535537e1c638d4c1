//! What stops a command apart from mistakes in `.cc` files.

use records::say;
use std::fmt;
use std::process::ExitCode;

/// A message, the way out, and whether the command line itself is to blame.
#[derive(Debug)]
pub struct Failure {
    message: String,
    help: Option<String>,
    is_misuse: bool,
    is_said: bool,
}

impl Failure {
    /// The world is wrong: exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            is_misuse: false,
            is_said: false,
        }
    }

    /// The command line is wrong: exit code 2.
    pub fn misuse(message: impl Into<String>) -> Self {
        Self {
            is_misuse: true,
            ..Self::new(message)
        }
    }

    /// What is wrong has been printed already: exit code 1.
    pub fn said() -> Self {
        Self {
            is_said: true,
            ..Self::new("")
        }
    }

    /// What to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// Prints the message, unless that was done, and says how the process ends.
    pub fn report(&self) -> ExitCode {
        if !self.is_said {
            say(&self.to_string());
        }
        ExitCode::from(if self.is_misuse { 2 } else { 1 })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  = help: {help}"),
            None => Ok(()),
        }
    }
}

impl From<records::Error> for Failure {
    fn from(error: records::Error) -> Self {
        Self::new(error.to_string()).help(error.help())
    }
}

/// Results of commands.
pub type Result<T> = std::result::Result<T, Failure>;

/// Makes a panic say that it is our mistake, in one line without a backtrace.
pub fn own_up_to_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or(String::new(), |at| {
            format!(" ({}:{})", at.file(), at.line())
        });
        let what = panic
            .payload_as_str()
            .unwrap_or("a panic without a message");
        // Layers have no other way to say what libtorch does: it comes out as an error.
        if records::said_by_libtorch(what).is_some() {
            return;
        }
        say(&format!(
            "this is a bug in crisscross: {what}{place}; please report it with the command and this line"
        ));
    }));
}
