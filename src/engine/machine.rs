//! What computes, and how: as the command line says, else as the site file does.

use crisscross::cli::{Machine, Switch};
use records::launch::Launch;
use records::site::{MemoryFormat, Site};
use runtime::device::{self, Settings};
use runtime::doctor;
use runtime::error::Error;
use tch::Device;

/// The device of this process, or of one of several ranks, set up. `graph` is what the command line says of graphs.
pub fn settle(
    asked: &Machine,
    graph: Option<Switch>,
    site: &Site,
    launch: Option<&Launch>,
) -> Result<Device, Error> {
    let name = asked.device.as_deref().or(site.device.as_deref());
    let device = match launch {
        None => doctor::device_or_best(name)?,
        Some(launch) => doctor::device_of(launch, name)?,
    };
    device::settle(device, settings(asked, graph, site))?;
    Ok(device)
}

/// What the command line says, else the site file.
fn settings(asked: &Machine, graph: Option<Switch>, site: &Site) -> Settings {
    let format = asked.memory_format.as_deref();
    let named = |name: &str| {
        MemoryFormat::ALL
            .into_iter()
            .find(|format| format.name() == name)
    };
    Settings {
        tf32: asked.tf32.map(Switch::is_on).or(site.tf32).unwrap_or(false),
        memory_format: format
            .and_then(named)
            .or(site.memory_format)
            .unwrap_or_default(),
        cuda_graph: graph
            .map(Switch::is_on)
            .or(site.cuda_graph)
            .unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_site_file() {
        let of = |asked, site| {
            let machine = Machine {
                tf32: asked,
                ..Machine::default()
            };
            let site = Site {
                tf32: site,
                ..Site::default()
            };
            settings(&machine, None, &site).tf32
        };
        assert!(!of(None, None) && of(None, Some(true)) && of(Some(Switch::On), Some(false)));
        assert!(!of(Some(Switch::Off), Some(true)));
        let graph = |asked, site| {
            let site = Site {
                cuda_graph: site,
                ..Site::default()
            };
            settings(&Machine::default(), asked, &site).cuda_graph
        };
        assert!(
            !graph(None, None) && graph(None, Some(true)) && !graph(Some(Switch::Off), Some(true))
        );
        let format = |asked: Option<&str>, site| {
            let machine = Machine {
                memory_format: asked.map(str::to_owned),
                ..Machine::default()
            };
            let site = Site {
                memory_format: site,
                ..Site::default()
            };
            settings(&machine, None, &site).memory_format
        };
        assert_eq!(format(None, None), MemoryFormat::Auto);
        assert_eq!(
            format(None, Some(MemoryFormat::Pictures)),
            MemoryFormat::Pictures
        );
        let both = format(Some("channels_last"), Some(MemoryFormat::Pictures));
        assert_eq!(both, MemoryFormat::ChannelsLast);
    }
}
