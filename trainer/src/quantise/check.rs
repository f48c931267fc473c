//! Whether the layers of folded networks fit each other.

use crate::network::folded::{FoldedNetwork, FoldedNetworks, Side};

/// Says what does not fit.
pub(super) fn check(nets: &FoldedNetworks) -> Result<(), String> {
    let FoldedNetworks { reconstruction, head } = nets;
    network(reconstruction, reconstruction.channels)?;
    let Some(head) = head else { return Ok(()) };
    if [head.size, head.channels] != [reconstruction.size, 2 * reconstruction.channels] {
        return Err(format!(
            "the head takes {} channels of {} pixels",
            head.channels, head.size
        ));
    }
    network(head, 1).map_err(|e| format!("head: {e}"))
}

fn network(net: &FoldedNetwork, outputs: usize) -> Result<(), String> {
    let levels = net.encoder.len();
    if levels == 0 || levels > 16 || net.size == 0 || !net.size.is_multiple_of(1 << levels) {
        return Err(format!(
            "{levels} levels do not fit a size of {} pixels",
            net.size
        ));
    }
    if [net.sides.len(), net.decoder.len()] != [levels; 2] {
        return Err(format!(
            "{levels} levels, {} sides, {} decoder steps",
            net.sides.len(),
            net.decoder.len()
        ));
    }
    let mut channels = net.channels;
    for (i, conv) in net.encoder.iter().enumerate() {
        layer(
            &format!("encoder {}", i + 1),
            [conv.inputs, channels],
            conv.outputs,
            9,
            &conv.weight,
            &conv.bias,
        )?;
        channels = conv.outputs;
    }
    for (step, up) in net.decoder.iter().enumerate() {
        layer(
            &format!("decoder {}", step + 1),
            [up.inputs, channels],
            up.outputs,
            16,
            &up.weight,
            &up.bias,
        )?;
        let joined = (levels - 1)
            .checked_sub(step + 1)
            .filter(|&level| net.sides[level] != Side::None);
        channels = up.outputs + joined.map_or(0, |level| net.encoder[level].outputs);
    }
    if channels != outputs {
        return Err(format!("it gives {channels} channels instead of {outputs}"));
    }
    for (i, side) in net.sides.iter().enumerate() {
        let feature = net.size >> (i + 1);
        match side {
            Side::None => {}
            Side::Skip if i + 1 < levels => {}
            Side::Skip => return Err("the last level cannot be a skip".into()),
            Side::Memory(memory) => {
                let fits = memory.grid > 0
                    && memory.items > 0
                    && feature.is_multiple_of(memory.grid)
                    && memory.dimension == (feature / memory.grid).pow(2)
                    && memory.values.len() == memory.grid.pow(2) * memory.items * memory.dimension;
                if !fits
                    || memory.temperature <= 0.0
                    || !finite(&memory.values)
                    || !memory.temperature.is_finite()
                {
                    return Err(format!(
                        "memory {} does not fit its feature of {feature} x {feature}",
                        i + 1
                    ));
                }
            }
        }
    }
    Ok(())
}

fn layer(
    name: &str,
    [inputs, found]: [usize; 2],
    outputs: usize,
    taps: usize,
    weight: &[f32],
    bias: &[f32],
) -> Result<(), String> {
    if inputs != found {
        return Err(format!("{name} takes {inputs} channels, but {found} come in"));
    }
    if outputs == 0 || weight.len() != inputs * outputs * taps || bias.len() != outputs {
        return Err(format!(
            "{name}: the numbers of weights and biases do not fit {inputs} to {outputs} channels"
        ));
    }
    if !finite(weight) || !finite(bias) {
        return Err(format!("{name} has weights that are not finite"));
    }
    Ok(())
}

fn finite(values: &[f32]) -> bool {
    values.iter().all(|v| v.is_finite())
}
