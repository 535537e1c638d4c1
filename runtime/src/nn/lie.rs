//! How maps lie in memory. What a network computes is the same, but sums are taken in another order.
//!
//! Only what goes into a network is laid out: each layer leaves its maps as it found them. Weights stay row by row, as optimisers, LARC and
//! checkpoints have them; a convolution lays out its own, which are small beside its maps.

use records::site::MemoryFormat;
use tch::{Device, Tensor};

/// Whether clips are convolved as pictures on this device: always on a processor, where kernels for volumes are slow and partly wrong.
pub fn as_pictures(device: Device, asked: MemoryFormat) -> bool {
    match asked {
        MemoryFormat::Pictures => true,
        MemoryFormat::Auto | MemoryFormat::Contiguous | MemoryFormat::ChannelsLast => {
            !device.is_cuda()
        }
    }
}

/// Whether the maps of a network that computes in 16 bits, or not, lie channels last.
fn is_last(device: Device, is_half: bool, asked: MemoryFormat) -> bool {
    match asked {
        // On a processor that was measured to bring nothing, and clips, as pictures, lie so by themselves.
        MemoryFormat::Auto => device.is_cuda() && is_half,
        MemoryFormat::Contiguous => false,
        MemoryFormat::ChannelsLast | MemoryFormat::Pictures => true,
    }
}

/// A view, `[B, C, ...]`, as it goes into a network that computes in 16 bits, or not. It carries no gradient.
pub fn laid(view: &Tensor, is_half: bool, asked: MemoryFormat) -> Tensor {
    if is_last(view.device(), is_half, asked) {
        channels_last(view)
    } else {
        view.shallow_clone()
    }
}

/// The same values with the channels of a place beside each other. One channel lies as several would: maps behind it follow its strides.
fn channels_last(view: &Tensor) -> Tensor {
    let size = view.size();
    let mut strides = vec![0; size.len()];
    let mut stride = 1;
    let order = std::iter::once(1).chain((2..size.len()).rev()).chain([0]);
    for axis in order {
        strides[axis] = stride;
        stride *= size[axis];
    }
    if view.stride() == strides {
        return view.shallow_clone();
    }
    let mut laid = Tensor::empty_strided(&size, &strides, (view.kind(), view.device()));
    laid.copy_(&view.detach());
    laid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Mode;
    use crate::nn::layers::{Conv, ConvInit, pool_frames};
    use crate::nn::parameters::Parameters;
    use crate::nn::resnet::Resnet;
    use tch::Kind;

    const CPU: (Kind, Device) = (Kind::Double, Device::Cpu);

    #[test]
    fn channels_lie_last_also_where_there_is_one() {
        let view = Tensor::randn([2, 3, 4, 5, 6], CPU);
        let laid = channels_last(&view);
        assert_eq!(laid, view);
        assert_eq!(laid.stride(), [360, 1, 90, 18, 3]);
        let sound = channels_last(&Tensor::randn([2, 1, 5, 6], CPU));
        assert_eq!(sound.stride(), [30, 1, 6, 1]);
        assert_eq!(channels_last(&sound).data_ptr(), sound.data_ptr());
    }

    #[test]
    fn auto_is_channels_last_for_16_bits_on_a_gpu() {
        let gpu = Device::Cuda(0);
        let auto = MemoryFormat::Auto;
        assert!(is_last(gpu, true, auto) && !is_last(gpu, false, auto));
        assert!(
            !is_last(Device::Cpu, true, auto)
                && is_last(Device::Cpu, false, MemoryFormat::ChannelsLast)
        );
        assert!(as_pictures(Device::Cpu, auto) && !as_pictures(gpu, auto));
        assert!(as_pictures(gpu, MemoryFormat::Pictures));
    }

    /// Layer after layer, and the gradients of the weights, which lie as the weights do for the optimisers.
    #[test]
    fn a_network_makes_of_a_laid_out_view_what_it_makes_of_it() {
        let mut parameters = Parameters::new(1, Kind::Double, Device::Cpu);
        let network = Resnet::new(&mut parameters, "a", 10, (1, 2), &[]).unwrap();
        let view = Tensor::randn([3, 1, 20, 33], CPU);
        let learned = parameters.learned();
        let of = |view: &Tensor| {
            let maps: Vec<_> = network.maps(view, Mode::Training { parts: 1 }).collect();
            let last = maps.last().unwrap().square().sum(None);
            let gradients =
                Tensor::run_backward(&[last], &learned.iter().collect::<Vec<_>>(), false, false);
            (maps, gradients)
        };
        let (maps, gradients) = of(&view);
        let (laid_maps, laid_gradients) = of(&laid(&view, false, MemoryFormat::ChannelsLast));
        let size = laid_maps[2].size();
        assert_eq!(
            laid_maps[2].stride()[1],
            1,
            "{size:?}: the maps do not lie channels last"
        );
        for (one, other) in maps
            .iter()
            .zip(&laid_maps)
            .chain(gradients.iter().zip(&laid_gradients))
        {
            let apart = (one - other).abs().max() / (one.abs().max() + 1e-9);
            assert!(apart.double_value(&[]) < 1e-9);
        }
    }

    #[test]
    fn a_volume_may_lie_either_way() {
        let mut parameters = Parameters::new(1, Kind::Double, Device::Cpu);
        let shape = [[3, 7, 7], [1, 2, 2], [1, 3, 3]];
        let conv = Conv::new(&mut parameters, "c", (3, 4), shape, ConvInit::Default);
        let view = Tensor::randn([2, 3, 4, 17, 17], CPU);
        let laid = laid(&view, true, MemoryFormat::Pictures);
        let of = |view: &Tensor| pool_frames(&conv.forward(view), 3);
        let apart = (of(&view) - of(&laid)).abs().max();
        assert!(apart.double_value(&[]) < 1e-12);
    }
}
