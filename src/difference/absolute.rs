//! |picture - reconstruction|.

/// The mean of the channels' absolute differences in Q8.8 levels, one value a pixel. With three channels a channel
/// weighs 85/256, so that the sum fits 16 bits.
pub(super) fn difference(picture: &[u8], reconstruction: &[u8], channels: usize, out: &mut [u16]) {
    let weight = if channels == 1 { 256 } else { 85 };
    let pixels = picture.chunks_exact(channels).zip(reconstruction.chunks_exact(channels));
    for (out, (a, b)) in out.iter_mut().zip(pixels) {
        let sum: u16 = a.iter().zip(b).map(|(&a, &b)| u16::from(a.abs_diff(b))).sum();
        *out = sum * weight;
    }
}
