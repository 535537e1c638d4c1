//! Who is at a stage: the lock in the folder of an attempt, and what its process has written there about itself.

use crate::folder::{Runs, read_json};
use crate::{Error, Result, spoken};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file that is locked for as long as an attempt lives.
pub(crate) const ALIVE: &str = "alive.lock";

/// A living process that is at a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The folder in which it makes it.
    pub folder: PathBuf,
    /// What it says about itself; none of a version that says nothing.
    signature: Option<Signature>,
}

/// What stands in [`ALIVE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    process: u32,
    host: String,
    /// Seconds since 1970, by the clock of that machine.
    since: u64,
}

impl Holder {
    /// The one that is at the attempt in `folder`; `None` where there is nothing that it could hold.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let alive = folder.join(ALIVE);
        alive.exists().then(|| Self {
            folder: folder.to_owned(),
            signature: read_json(&alive).ok(),
        })
    }

    /// Writes into the locked file of the attempt in `folder` that this process, on `host`, has it now.
    pub(crate) fn sign(folder: &Path, mut alive: &File, host: &str) -> Result<()> {
        let signature = Signature {
            process: std::process::id(),
            host: host.to_owned(),
            since: now(),
        };
        let text = serde_json::to_string(&signature).expect("a signature is plain data");
        alive
            .set_len(0)
            .and_then(|()| alive.rewind())
            .and_then(|()| alive.write_all(text.as_bytes()))
            .map_err(Error::io("write", &folder.join(ALIVE)))
    }

    /// Whether it still has it.
    pub fn is_alive(&self, runs: &Runs) -> Result<bool> {
        // Looking takes the lock for a moment, which nobody else may take for the holder's.
        let _lock = runs.lock()?;
        Ok(lock_of_dead(&self.folder).is_none() && self.folder.join(ALIVE).exists())
    }
}

impl Holder {
    /// `process 4711 on node7, for 12 min`.
    pub fn who(&self) -> String {
        match &self.signature {
            Some(Signature {
                process,
                host,
                since,
            }) => {
                let time = spoken(now().saturating_sub(*since) as f64);
                format!("process {process} on {host}, for {time}")
            }
            None => "another process".to_owned(),
        }
    }
}

impl fmt::Display for Holder {
    /// `process 4711 on node7, for 12 min, in ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, in `{}`", self.who(), self.folder.display())
    }
}

/// The lock of an attempt whose process is gone; `None` where it lives, or where there is no file to lock.
pub(crate) fn lock_of_dead(folder: &Path) -> Option<File> {
    let file = File::options().write(true).open(folder.join(ALIVE)).ok()?;
    file.try_lock().is_ok().then_some(file)
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_ahead_says_no_more_than_that_it_has_just_begun() {
        let holder = Holder {
            folder: "runs/.part-x".into(),
            signature: Some(Signature {
                process: 4711,
                host: "node7".to_owned(),
                since: now() + 86_400,
            }),
        };
        let said = "process 4711 on node7, for 0 s, in `runs/.part-x`";
        assert_eq!(holder.to_string(), said);
    }
}
