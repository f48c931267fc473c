//! What the camera says about itself: the descriptors of USB 2.0 and of USB Video Class 1.0.

use super::picture::Format;
use super::{Shape, VENDOR_PRODUCT};

pub(super) const STREAMING_INTERFACE: u8 = 1;
pub(super) const BULK_ENDPOINT: u8 = 0x81;
pub(super) const BULK_PACKET: u16 = 512;
/// The longest payload: what Linux' uvcvideo asks for in one request, 32 packets.
pub(super) const PAYLOAD: usize = 16384;
/// Entities with controls.
pub(super) const TERMINAL: u8 = 1;
pub(super) const PROCESSING: u8 = 3;
const OUTPUT: u8 = 2;

const VIDEO: u8 = 0x0e;
const INTERFACE: u8 = 0x24;
const YUYV: [u8; 16] = *b"YUY2\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

fn word(value: u16) -> [u8; 2] {
    value.to_le_bytes()
}

fn long(value: u32) -> [u8; 4] {
    value.to_le_bytes()
}

/// A descriptor: its length in front.
fn descriptor(parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut all = vec![content.len() as u8 + 1];
    all.extend_from_slice(&content);
    all
}

pub(super) fn device() -> Vec<u8> {
    let (vendor, product) = VENDOR_PRODUCT;
    let class = [0xef, 2, 1, 64];
    descriptor(&[
        &[1],
        &word(0x0200),
        &class,
        &word(vendor),
        &word(product),
        &word(0x0100),
        &[1, 2, 3, 1],
    ])
}

pub(super) fn configuration(shape: &Shape) -> Vec<u8> {
    let association = descriptor(&[&[0x0b, 0, 2, VIDEO, 3, 0, 2]]);
    let rest = [association, control_interface(), streaming_interface(shape)].concat();
    let header = descriptor(&[&[2], &word(9 + rest.len() as u16), &[2, 1, 0, 0x80, 250]]);
    [header, rest].concat()
}

fn control_interface() -> Vec<u8> {
    // auto-exposure mode and priority, exposure time
    let terminal = descriptor(&[
        &[INTERFACE, 2, TERMINAL],
        &word(0x0201),
        &[0; 8],
        &[2],
        &word(0x000e),
    ]);
    // brightness, white balance, gain, automatic white balance
    let processing = descriptor(&[
        &[INTERFACE, 5, PROCESSING, TERMINAL],
        &word(0),
        &[2],
        &word(0x1241),
        &[0],
    ]);
    let output = descriptor(&[&[INTERFACE, 3, OUTPUT], &word(0x0101), &[0, PROCESSING, 0]]);
    let entities = [terminal, processing, output].concat();
    let total = word(13 + entities.len() as u16);
    let header = descriptor(&[
        &[INTERFACE, 1],
        &word(0x0100),
        &total,
        &long(1_000_000),
        &[1, STREAMING_INTERFACE],
    ]);
    [descriptor(&[&[4, 0, 0, 0, VIDEO, 1, 0, 0]]), header, entities].concat()
}

fn streaming_interface(shape: &Shape) -> Vec<u8> {
    let mut formats = Vec::new();
    for (number, format) in (1..).zip(&shape.formats) {
        let (format, frame) = match format {
            Format::Yuyv => (
                descriptor(&[&[INTERFACE, 4, number, 1], &YUYV, &[16, 1, 0, 0, 0, 0]]),
                5,
            ),
            Format::Mjpeg => (descriptor(&[&[INTERFACE, 6, number, 1, 1, 1, 0, 0, 0, 0]]), 7),
        };
        // sRGB primaries and gamma, SMPTE 170M luma
        let colours = descriptor(&[&[INTERFACE, 0x0d, 1, 1, 4]]);
        formats.extend([format, frame_size(shape, frame), colours].concat());
    }
    let count = shape.formats.len() as u8;
    let total = word(13 + u16::from(count) + formats.len() as u16);
    let terminal = [BULK_ENDPOINT, 0, OUTPUT, 0, 0, 0, 1];
    let header = descriptor(&[
        &[INTERFACE, 1, count],
        &total,
        &terminal,
        &vec![0; usize::from(count)],
    ]);
    let interface = descriptor(&[&[4, STREAMING_INTERFACE, 0, 1, VIDEO, 2, 0, 0]]);
    let endpoint = descriptor(&[&[5, BULK_ENDPOINT, 2], &word(BULK_PACKET), &[0]]);
    [interface, header, formats, endpoint].concat()
}

fn frame_size(shape: &Shape, kind: u8) -> Vec<u8> {
    let (interval, size) = (interval(shape), shape.frame_bytes());
    let bits = long(size * 8 * shape.frames_per_second);
    let dimensions = [word(shape.width as u16), word(shape.height as u16)].concat();
    descriptor(&[
        &[INTERFACE, kind, 1, 0],
        &dimensions,
        &bits,
        &bits,
        &long(size),
        &interval,
        &[1],
        &interval,
    ])
}

/// Time between two frames, in units of 100 ns.
pub(super) fn interval(shape: &Shape) -> [u8; 4] {
    long(10_000_000 / shape.frames_per_second)
}

pub(super) fn string(number: u8, serial: &str) -> Option<Vec<u8>> {
    let text = match number {
        0 => return Some(vec![4, 3, 0x09, 0x04]),
        1 => "Beltwatch",
        2 => "Rig Camera",
        3 => serial,
        _ => return None,
    };
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Some(descriptor(&[&[3], &units]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every descriptor's length and kind must lead to the next one, and the totals must add up.
    #[test]
    fn lengths_add_up() {
        let shape = Shape {
            width: 256,
            height: 256,
            frames_per_second: 10,
            formats: vec![Format::Mjpeg, Format::Yuyv],
        };
        let all = configuration(&shape);
        assert_eq!(all.len(), usize::from(u16::from_le_bytes([all[2], all[3]])));
        let (mut at, mut found) = (0, Vec::new());
        while at < all.len() {
            let length = usize::from(all[at]);
            assert!(length > 1, "at {at}");
            found.push((&all[at..at + length], at));
            at += length;
        }
        assert_eq!(at, all.len());
        let headers: Vec<_> = found
            .iter()
            .filter(|(d, _)| d[1] == INTERFACE && d[2] == 1)
            .collect();
        let interfaces: Vec<_> = found
            .iter()
            .filter(|(d, _)| d[1] == 4)
            .map(|(_, at)| *at)
            .collect();
        let (control, streaming) = (headers[0], headers[1]);
        assert_eq!(
            usize::from(u16::from_le_bytes([control.0[5], control.0[6]])),
            interfaces[1] - control.1
        );
        let endpoint = found.iter().find(|(d, _)| d[1] == 5).unwrap().1;
        assert_eq!(
            usize::from(u16::from_le_bytes([streaming.0[4], streaming.0[5]])),
            endpoint - streaming.1
        );
        assert_eq!(device().len(), 18);
    }
}
