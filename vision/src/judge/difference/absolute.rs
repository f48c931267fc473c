//! |picture - reconstruction|.

use crate::processor::vectorised;

/// The mean of the channels' absolute differences in Q8.8 levels, one value a pixel. With three channels a
/// channel weighs 85/256, so that the sum fits 16 bits.
pub(super) fn difference(picture: &[u8], reconstruction: &[u8], channels: usize, out: &mut [u16]) {
    match channels {
        1 => of::<1>(picture, reconstruction, 256, out),
        _ => of::<3>(picture, reconstruction, 85, out),
    }
}

vectorised! {
    fn of<const C: usize>(picture: &[u8], reconstruction: &[u8], weight: u16, out: &mut [u16]) {
        let pixels = picture.as_chunks::<C>().0.iter().zip(reconstruction.as_chunks::<C>().0);
        for (out, (a, b)) in out.iter_mut().zip(pixels) {
            let sum: u16 = a.iter().zip(b).map(|(&a, &b)| u16::from(a.abs_diff(b))).sum();
            *out = sum * weight;
        }
    }
}
