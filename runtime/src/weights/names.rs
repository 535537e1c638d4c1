//! Whose names weights have: ours are those of the released code's whole model, `video_backbone.conv2x.0.spt_conv1.weight`. Its released
//! files hold one backbone each, named without the first part; torchvision names the same ResNet otherwise.

use compiler::graph::networks;
use compiler::hir::Layer;

/// Names that weights can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Names {
    /// As in a run folder.
    Ours,
    /// As in the files that the released code writes of a backbone, or of its whole model.
    Authors,
    /// As in torchvision's `ResNet`.
    Torchvision,
}

impl Names {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Names::Ours => "ours",
            Names::Authors => "authors",
            Names::Torchvision => "torchvision",
        }
    }
}

/// What stands before the names of a model in files of several programs: keys of nested dicts, and wrappers of modules.
const WRAPPERS: [&str; 7] = [
    "module.",
    "model.",
    "state_dict.",
    "model_state_dict.",
    "net.",
    "network.",
    "backbone.",
];

/// Other names of our networks, where the same tensors stand once more or are called in short.
const ALIASES: [(&str, &str); 10] = [
    ("video_encoder.0.", "video_backbone."),
    ("video_encoder.2.", "video_projector."),
    ("audio_encoder.0.", "audio_backbone."),
    ("audio_encoder.2.", "audio_projector."),
    ("vid_backbone.", "video_backbone."),
    ("aud_backbone.", "audio_backbone."),
    ("video_model.", "video_backbone."),
    ("audio_model.", "audio_backbone."),
    ("vid.", "video_backbone."),
    ("aud.", "audio_backbone."),
];

/// A name of a file without wrappers, and with our name of the network where another is known.
pub fn plain(name: &str) -> String {
    let mut rest = name;
    while let Some(inner) = WRAPPERS
        .iter()
        .find_map(|wrapper| rest.strip_prefix(wrapper))
    {
        rest = inner;
    }
    for (alias, own) in ALIASES {
        if let Some(inner) = rest.strip_prefix(alias) {
            return format!("{own}{}", of_blocks(inner));
        }
    }
    of_blocks(rest)
}

/// Stages of R(2+1)D, `conv2x` to `conv5x`. In the released code's network of depth 10 a stage is its block, in others a list of blocks.
const STAGES: [&str; 4] = ["conv2x.", "conv3x.", "conv4x.", "conv5x."];

/// A name in which a stage that is its block has become a list of one.
fn of_blocks(name: &str) -> String {
    for stage in STAGES {
        if let Some((before, part)) = name.split_once(stage)
            && (before.is_empty() || before.ends_with('.'))
            && !part.starts_with(|first: char| first.is_ascii_digit())
        {
            return format!("{before}{stage}0.{part}");
        }
    }
    name.to_owned()
}

/// The released code's name of a tensor of a network that begins with this layer, which we call so within it.
pub fn to_authors(name: &str, layer: Option<&Layer>) -> String {
    if let Some(Layer::R2plus1d { depth: 10, .. }) = layer {
        for stage in STAGES {
            if let Some(part) = name
                .strip_prefix(stage)
                .and_then(|rest| rest.strip_prefix("0."))
            {
                return format!("{stage}{part}");
            }
        }
    }
    name.to_owned()
}

/// What makes the released code's network of a backbone, in Python.
///
/// # Errors
/// Why it has no such network.
pub fn authors(backbone: &Layer) -> Result<String, String> {
    let usual = |depth: u32, strides: &[u32]| {
        networks::strides(depth, strides) == networks::strides(depth, &[])
    };
    match backbone {
        Layer::R2plus1d {
            depth: depth @ (10 | 18),
            width: 64,
            strides,
        } if usual(*depth, strides) => Ok(format!("net = models.backbones.R2Plus1D({depth})")),
        Layer::Resnet {
            depth: 18,
            width: 64,
            channels: 1,
            strides,
        } if usual(18, strides) => Ok("net = models.backbones.ResNet(18)".to_owned()),
        Layer::R2plus1d { .. }
        | Layer::Resnet { .. }
        | Layer::BagOfWords { .. }
        | Layer::Fc { .. }
        | Layer::Bn
        | Layer::Relu
        | Layer::L2 => {
            Err("the released code has no network of this depth, width and strides".to_owned())
        }
    }
}

/// Our name, within its network, of a tensor of torchvision's `ResNet`; `None` for its classifier.
pub fn from_torchvision(name: &str) -> Option<String> {
    for (theirs, own) in [("conv1.", "conv1.0."), ("bn1.", "conv1.1.")] {
        if let Some(rest) = name.strip_prefix(theirs) {
            return Some(format!("{own}{rest}"));
        }
    }
    let rest = name.strip_prefix("layer")?;
    Some(format!("block{rest}"))
}

/// torchvision's name of a tensor of a ResNet, which we call so within its network.
pub fn to_torchvision(name: &str) -> Option<String> {
    for (own, theirs) in [("conv1.0.", "conv1."), ("conv1.1.", "bn1.")] {
        if let Some(rest) = name.strip_prefix(own) {
            return Some(format!("{theirs}{rest}"));
        }
    }
    let rest = name.strip_prefix("block")?;
    Some(format!("layer{rest}"))
}

/// What makes torchvision's network of a backbone, in Python.
///
/// # Errors
/// Why torchvision has no such network.
pub fn torchvision(backbone: &Layer) -> Result<String, String> {
    match backbone {
        Layer::R2plus1d { .. } => Err(
            "torchvision's R(2+1)D is another network: its stem is a spatial and a temporal convolution without a pool, where the paper's \
             is one of 3x7x7 with a pool; its inner convolutions are wider; and it has a BatchNorm on each branch, where the paper's has one \
             on their sum"
                .to_owned(),
        ),
        Layer::Resnet {
            depth,
            width,
            channels,
            strides,
        } => {
            let blocks = networks::blocks(*depth).unwrap_or_default();
            if *width != 64 {
                return Err(format!(
                    "torchvision's ResNet of basic blocks is 64 channels wide, and this one is {width}"
                ));
            }
            if networks::strides(*depth, strides) != networks::strides(*depth, &[]) {
                return Err(format!(
                    "torchvision's ResNet shrinks a map once in each stage but the first, and this one by strides of {strides:?}"
                ));
            }
            let made = match depth {
                18 | 34 => format!("torchvision.models.resnet{depth}()"),
                _ => format!(
                    "torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, {blocks:?})"
                ),
            };
            let stem = match channels {
                3 => String::new(),
                channels => format!(
                    "; net.conv1 = torch.nn.Conv2d({channels}, 64, 7, 2, 3, bias=False)"
                ),
            };
            Ok(format!("net = {made}{stem}; net.fc = torch.nn.Identity()"))
        }
        Layer::BagOfWords { .. } | Layer::Fc { .. } | Layer::Bn | Layer::Relu | Layer::L2 => {
            Err("torchvision has no network of words".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_and_other_names_of_networks_are_seen_through() {
        let all = [
            (
                "module.video_backbone.conv1.0.weight",
                "video_backbone.conv1.0.weight",
            ),
            (
                "model.module.video_encoder.2.layer1.0.bias",
                "video_projector.layer1.0.bias",
            ),
            ("state_dict.module.conv1.0.weight", "conv1.0.weight"),
            (
                "vid_backbone.conv5x.1.out_bn.bias",
                "video_backbone.conv5x.1.out_bn.bias",
            ),
            ("backbone.block1.0.bn1.weight", "block1.0.bn1.weight"),
            ("optimizer.state.0.exp_avg", "optimizer.state.0.exp_avg"),
            ("conv2x.spt_bn1.weight", "conv2x.0.spt_bn1.weight"),
            (
                "vid_backbone.conv3x.out_bn.bias",
                "video_backbone.conv3x.0.out_bn.bias",
            ),
        ];
        for (name, wanted) in all {
            assert_eq!(plain(name), wanted);
        }
    }

    #[test]
    fn torchvisions_names_lead_to_ours_and_back() {
        let all = [
            ("conv1.weight", "conv1.0.weight"),
            ("bn1.running_var", "conv1.1.running_var"),
            (
                "layer4.1.bn2.num_batches_tracked",
                "block4.1.bn2.num_batches_tracked",
            ),
            (
                "layer2.0.downsample.0.weight",
                "block2.0.downsample.0.weight",
            ),
        ];
        for (theirs, own) in all {
            assert_eq!(from_torchvision(theirs).as_deref(), Some(own));
            assert_eq!(to_torchvision(own).as_deref(), Some(theirs));
        }
        assert_eq!(from_torchvision("fc.weight"), None);
    }

    #[test]
    fn a_network_that_torchvision_does_not_have_is_refused_with_the_reason() {
        let resnet = |width, strides| Layer::Resnet {
            depth: 18,
            width,
            channels: 1,
            strides,
        };
        let made = torchvision(&resnet(64, vec![])).unwrap();
        assert!(
            made.contains("resnet18()") && made.contains("Conv2d(1, 64"),
            "{made}"
        );
        assert!(
            torchvision(&resnet(16, vec![]))
                .unwrap_err()
                .contains("64 channels")
        );
        assert!(
            torchvision(&resnet(64, vec![1; 8]))
                .unwrap_err()
                .contains("strides")
        );
        let video = Layer::R2plus1d {
            depth: 18,
            width: 64,
            strides: vec![],
        };
        assert!(torchvision(&video).unwrap_err().contains("another network"));
    }
}
