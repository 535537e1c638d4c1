//! The network interfaces that the environment names for the exchange between ranks.

use crate::error::{Error, Result};
use tch::{Device, TchError};

/// The variables of the two transports.
pub(super) const GLOO: &str = "GLOO_SOCKET_IFNAME";
const NCCL: &str = "NCCL_SOCKET_IFNAME";
/// Where Linux has a folder for each interface.
const FOLDER: &str = "/sys/class/net";

/// What this variable says, if anything.
pub(super) fn named(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|name| !name.is_empty())
}

/// Whether the variable of this device's transport names an interface of this machine, or nothing.
///
/// Errors: one that is not there, with those that are.
pub(super) fn check(device: Device) -> Result<()> {
    let (variable, fits): (_, fn(&str, &str) -> bool) = match device.is_cuda() {
        true => (NCCL, fits_nccl),
        false => (GLOO, |name, here| name == here),
    };
    let (Some(name), Some(here)) = (named(variable), here()) else {
        return Ok(());
    };
    match here.iter().any(|here| fits(&name, here)) {
        true => Ok(()),
        false => Err(missing(variable, &name, &here)),
    }
}

/// The interfaces of this machine, sorted; `None` where nobody says.
fn here() -> Option<Vec<String>> {
    let entries = std::fs::read_dir(FOLDER).ok()?.flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Some(names)
}

fn missing(variable: &str, name: &str, here: &[String]) -> Error {
    Error::Unsupported {
        message: format!(
            "{variable} is `{name}`, and this machine has no such network interface: it has {}; set it to the one by which the other \
             machines reach this one, or leave it unset",
            here.join(", ")
        ),
    }
}

/// An interface that Gloo cannot listen at.
pub(super) fn unusable(name: &str, cause: &TchError) -> Error {
    Error::Unsupported {
        message: format!(
            "no tensors can be exchanged by the network interface `{name}`, which {GLOO} names: {cause}; set it to one that has an \
             address by which the other machines reach this one, or leave it unset"
        ),
    }
}

/// Whether NCCL takes the interface `here` where its variable says `names`: beginnings of names with commas between them, whole names
/// behind `=`, all others behind `^`.
fn fits_nccl(names: &str, here: &str) -> bool {
    let (is_left_out, names) = match names.strip_prefix('^') {
        Some(names) => (true, names),
        None => (false, names),
    };
    let (is_whole, names) = match names.strip_prefix('=') {
        Some(names) => (true, names),
        None => (false, names),
    };
    let is_named = names.split(',').any(|name| {
        let name = name.split(':').next().unwrap_or(name);
        match is_whole {
            true => name == here,
            false => here.starts_with(name),
        }
    });
    is_named != is_left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_nccl_reads_them() {
        for (names, here, fits) in [
            ("eth", "eth0", true),
            ("eth0,ib", "ib1", true),
            ("eth", "lo", false),
            ("=eth", "eth0", false),
            ("=eth0", "eth0", true),
            ("^docker", "eth0", true),
            ("^docker,lo", "lo", false),
            ("^=lo", "lo0", true),
        ] {
            assert_eq!(fits_nccl(names, here), fits, "{names} {here}");
        }
    }

    #[test]
    fn the_variable_and_what_there_is_are_named() {
        let here = here().unwrap();
        let said = missing(GLOO, "nowhere", &here).to_string();
        for part in ["GLOO_SOCKET_IFNAME is `nowhere`", "leave it unset"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(
            here.contains(&"lo".to_owned()) && said.contains("lo"),
            "{said}"
        );
    }
}
