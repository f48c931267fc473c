//! The camera's answers to control requests: standard ones, the negotiation of a stream, exposure and white
//! balance.

use super::descriptors::{self, PAYLOAD, PROCESSING, STREAMING_INTERFACE, TERMINAL};
use super::picture::Format;
use super::usbredir::{Setup, number};
use super::{Controls, Shape};

/// Requests of USB Video Class.
const SET_CURRENT: u8 = 0x01;
const GET_CURRENT: u8 = 0x81;
const GET_MINIMUM: u8 = 0x82;
const GET_MAXIMUM: u8 = 0x83;
const GET_RESOLUTION: u8 = 0x84;
const GET_LENGTH: u8 = 0x85;
const GET_INFO: u8 = 0x86;
const GET_DEFAULT: u8 = 0x87;
/// What a stalled request is asked for: the camera is in a state in which it is not allowed.
const WRONG_STATE: u8 = 2;
const CLEAR_FEATURE: u8 = 1;
const MANUAL: u32 = 1;

/// One control. Values of up to 4 bytes.
struct Control {
    entity: u8,
    selector: u8,
    bytes: u8,
    range: [u32; 3],
    default: u32,
    current: u32,
}

const fn control(entity: u8, selector: u8, bytes: u8, range: [u32; 3], default: u32) -> Control {
    Control {
        entity,
        selector,
        bytes,
        range,
        default,
        current: default,
    }
}

const EXPOSURE_MODE: usize = 0;
const EXPOSURE_TIME: usize = 2;
const GAIN: usize = 4;
const WHITE_BALANCE: usize = 5;
const WHITE_BALANCE_AUTOMATIC: usize = 6;

/// Everything as a camera has it after power-up: all automatic.
fn controls() -> [Control; 7] {
    [
        // the resolution of the mode lists the modes: manual and aperture priority
        control(TERMINAL, 0x02, 1, [1, 8, 9], 8),
        control(TERMINAL, 0x03, 1, [0, 1, 1], 1),
        control(TERMINAL, 0x04, 4, [1, 10_000, 1], 157),
        control(PROCESSING, 0x02, 2, [0, 255, 1], 128),
        control(PROCESSING, 0x04, 2, [0, 255, 1], 64),
        control(PROCESSING, 0x0a, 2, [2800, 6500, 10], 4600),
        control(PROCESSING, 0x0b, 1, [0, 1, 1], 1),
    ]
}

/// The camera's state between plug and unplug.
pub(super) struct Device {
    shape: Shape,
    serial: String,
    /// Counts from 1, in the order of the shape's formats.
    format: u8,
    streaming: bool,
    controls: [Control; 7],
}

impl Device {
    pub(super) fn new(shape: Shape, serial: String) -> Self {
        Self {
            shape,
            serial,
            format: 1,
            streaming: false,
            controls: controls(),
        }
    }

    /// The format that frames are wanted in, if any are.
    pub(super) fn wanted(&self) -> Option<Format> {
        self.streaming
            .then(|| self.shape.formats[usize::from(self.format) - 1])
    }

    pub(super) fn stop(&mut self) {
        self.streaming = false;
    }

    pub(super) fn controls(&self) -> Controls {
        let [mode, automatic] = [EXPOSURE_MODE, WHITE_BALANCE_AUTOMATIC].map(|c| self.controls[c].current);
        Controls {
            manual_exposure: mode == MANUAL,
            exposure_100us: self.controls[EXPOSURE_TIME].current,
            gain: self.controls[GAIN].current,
            manual_white_balance: automatic == 0,
            white_balance_kelvin: self.controls[WHITE_BALANCE].current,
        }
    }

    /// The answer's data, empty where there is none to give; `None` stalls.
    pub(super) fn answer(&mut self, setup: Setup, data: &[u8]) -> Option<Vec<u8>> {
        let [low, high] = setup.index.to_le_bytes();
        let [argument, selector] = setup.value.to_le_bytes();
        match (setup.request_type, setup.request) {
            (0x80, 6) => match selector {
                1 => Some(descriptors::device()),
                2 => Some(descriptors::configuration(&self.shape)),
                3 => descriptors::string(argument, &self.serial),
                _ => None,
            },
            (0x80, 0) => Some(vec![0, 0]),
            (0x02, CLEAR_FEATURE) => {
                // how Linux stops a stream over a bulk endpoint
                self.streaming = false;
                Some(Vec::new())
            }
            (0x00..=0x02, _) => Some(Vec::new()),
            (0xa1 | 0x21, request) if low == STREAMING_INTERFACE => self.negotiate(request, selector, data),
            (0xa1, GET_CURRENT) if (low, high, selector) == (0, 0, 2) => Some(vec![WRONG_STATE]),
            (0xa1 | 0x21, request) if low == 0 => self.control(request, high, selector, data),
            _ => None,
        }
    }

    /// Probe and commit.
    fn negotiate(&mut self, request: u8, selector: u8, data: &[u8]) -> Option<Vec<u8>> {
        const COMMIT: u8 = 2;
        if !(1..=COMMIT).contains(&selector) {
            return None;
        }
        match request {
            SET_CURRENT => {
                let format = *data.get(2)?;
                self.format = if usize::from(format) <= self.shape.formats.len() {
                    format.max(1)
                } else {
                    1
                };
                self.streaming |= selector == COMMIT;
                Some(Vec::new())
            }
            GET_LENGTH => Some(vec![26, 0]),
            GET_INFO => Some(vec![3]),
            _ => Some(self.probe()),
        }
    }

    fn probe(&self) -> Vec<u8> {
        let sizes = [
            self.shape.frame_bytes().to_le_bytes(),
            (PAYLOAD as u32).to_le_bytes(),
        ]
        .concat();
        [
            &[1, 0, self.format, 1],
            &descriptors::interval(&self.shape)[..],
            &[0; 10],
            &sizes,
        ]
        .concat()
    }

    fn control(&mut self, request: u8, entity: u8, selector: u8, data: &[u8]) -> Option<Vec<u8>> {
        let at = self
            .controls
            .iter()
            .position(|c| (c.entity, c.selector) == (entity, selector))?;
        let is_automatic = match at {
            EXPOSURE_TIME => self.controls[EXPOSURE_MODE].current != MANUAL,
            WHITE_BALANCE => self.controls[WHITE_BALANCE_AUTOMATIC].current != 0,
            _ => false,
        };
        let control = &mut self.controls[at];
        let value = match request {
            SET_CURRENT => {
                let value = number(data.get(..usize::from(control.bytes))?) as u32;
                if is_automatic || !(control.range[0]..=control.range[1]).contains(&value) {
                    return None;
                }
                control.current = value;
                return Some(Vec::new());
            }
            GET_LENGTH => return Some(vec![control.bytes, 0]),
            GET_INFO => return Some(vec![3]),
            GET_CURRENT => control.current,
            GET_MINIMUM => control.range[0],
            GET_MAXIMUM => control.range[1],
            GET_RESOLUTION => control.range[2],
            GET_DEFAULT => control.default,
            _ => return None,
        };
        Some(value.to_le_bytes()[..usize::from(control.bytes)].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        let shape = Shape {
            width: 64,
            height: 64,
            frames_per_second: 10,
            formats: vec![Format::Yuyv, Format::Mjpeg],
        };
        Device::new(shape, "1".to_owned())
    }

    fn setup(request_type: u8, request: u8, value: u16, index: u16) -> Setup {
        Setup {
            endpoint: 0,
            request,
            request_type,
            value,
            index,
            length: 64,
        }
    }

    #[test]
    fn a_stream_starts_with_a_commit_and_ends_with_a_cleared_halt() {
        let mut device = device();
        let mut wish = device.answer(setup(0xa1, GET_CURRENT, 0x100, 1), &[]).unwrap();
        wish[2] = 2;
        assert!(device.answer(setup(0x21, SET_CURRENT, 0x100, 1), &wish).is_some());
        assert_eq!(device.wanted(), None);
        assert_eq!(
            device.answer(setup(0xa1, GET_CURRENT, 0x100, 1), &[]).unwrap(),
            wish
        );
        device.answer(setup(0x21, SET_CURRENT, 0x200, 1), &wish).unwrap();
        assert_eq!(device.wanted(), Some(Format::Mjpeg));
        device.answer(setup(0x02, CLEAR_FEATURE, 0, 0x81), &[]).unwrap();
        assert_eq!(device.wanted(), None);
    }

    #[test]
    fn an_exposure_time_is_refused_until_exposure_is_manual() {
        let mut device = device();
        let time = setup(0x21, SET_CURRENT, 0x400, 0x100);
        let value = 50_u32.to_le_bytes();
        assert_eq!(device.answer(time, &value), None);
        device
            .answer(setup(0x21, SET_CURRENT, 0x200, 0x100), &[1])
            .unwrap();
        device.answer(time, &value).unwrap();
        let now = device.controls();
        assert!(now.manual_exposure && now.exposure_100us == 50 && !now.manual_white_balance);
        assert_eq!(device.answer(time, &20_000_u32.to_le_bytes()), None);
        assert_eq!(device.answer(time, &[1]), None);
    }

    #[test]
    fn nonsense_stalls() {
        let mut device = device();
        assert_eq!(device.answer(setup(0x80, 6, 0x900, 0), &[]), None);
        assert_eq!(device.answer(setup(0x21, SET_CURRENT, 0x100, 1), &[0]), None);
        assert_eq!(device.answer(setup(0xa1, GET_CURRENT, 0x7700, 0x300), &[]), None);
        assert_eq!(device.answer(setup(0xc0, 7, 0, 0), &[]), None);
    }
}
