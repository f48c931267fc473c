//! USB over a socket: the messages of the usbredir protocol, 0.7, that a device with control and bulk
//! transfers needs.
//!
//! Each has a kind, an id that the answer repeats, and a body; all numbers are little endian.

use std::io::{Read, Result, Write};

/// Kinds of messages.
pub(super) mod kind {
    pub(in crate::camera) const HELLO: u32 = 0;
    pub(in crate::camera) const CONNECT: u32 = 1;
    pub(in crate::camera) const DISCONNECT: u32 = 2;
    pub(in crate::camera) const RESET: u32 = 3;
    pub(in crate::camera) const INTERFACES: u32 = 4;
    pub(in crate::camera) const ENDPOINTS: u32 = 5;
    pub(in crate::camera) const SET_CONFIGURATION: u32 = 6;
    pub(in crate::camera) const GET_CONFIGURATION: u32 = 7;
    pub(in crate::camera) const CONFIGURATION: u32 = 8;
    pub(in crate::camera) const SET_ALTERNATE: u32 = 9;
    pub(in crate::camera) const GET_ALTERNATE: u32 = 10;
    pub(in crate::camera) const ALTERNATE: u32 = 11;
    pub(in crate::camera) const CANCEL: u32 = 21;
    pub(in crate::camera) const CONTROL: u32 = 100;
    pub(in crate::camera) const BULK: u32 = 101;
}

/// How a transfer ended.
pub(super) mod status {
    pub(in crate::camera) const SUCCESS: u8 = 0;
    pub(in crate::camera) const CANCELLED: u8 = 1;
    pub(in crate::camera) const STALL: u8 = 4;
}

/// Device version in `CONNECT`, packet sizes in `ENDPOINTS`, ids of 64 bit, bulk lengths of 32 bit: an xHCI
/// host controller takes no device that cannot do the last three.
const CAPABILITIES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6;
const PROGRAM: &[u8] = b"beltwatch device rig";
/// No message that a camera gets is longer.
const LONGEST: usize = 1 << 20;

pub(super) struct Message {
    pub(super) kind: u32,
    pub(super) id: u64,
    pub(super) body: Vec<u8>,
}

/// Says hello; the first message, the only one with an id of 32 bit.
pub(super) fn hello(to: &mut impl Write) -> Result<()> {
    let mut body = [0; 68];
    body[..PROGRAM.len()].copy_from_slice(PROGRAM);
    body[64..].copy_from_slice(&CAPABILITIES.to_le_bytes());
    let mut message = Vec::from(kind::HELLO.to_le_bytes());
    message.extend_from_slice(&(body.len() as u32).to_le_bytes());
    message.extend_from_slice(&0_u32.to_le_bytes());
    message.extend_from_slice(&body);
    to.write_all(&message)
}

/// Hears the other side's hello.
pub(super) fn hear_hello(from: &mut impl Read) -> Result<()> {
    let mut header = [0; 12];
    from.read_exact(&mut header)?;
    body(from, &header).map(drop)
}

pub(super) fn send(to: &mut impl Write, kind: u32, id: u64, body: &[u8]) -> Result<()> {
    let mut message = Vec::with_capacity(16 + body.len());
    message.extend_from_slice(&kind.to_le_bytes());
    message.extend_from_slice(&(body.len() as u32).to_le_bytes());
    message.extend_from_slice(&id.to_le_bytes());
    message.extend_from_slice(body);
    to.write_all(&message)
}

pub(super) fn receive(from: &mut impl Read) -> Result<Message> {
    let mut header = [0; 16];
    from.read_exact(&mut header)?;
    let mut id = [0; 8];
    id.copy_from_slice(&header[8..]);
    Ok(Message {
        kind: number(&header[..4]) as u32,
        id: u64::from_le_bytes(id),
        body: body(from, &header)?,
    })
}

fn body(from: &mut impl Read, header: &[u8]) -> Result<Vec<u8>> {
    let length = number(&header[4..8]);
    if length > LONGEST {
        return Err(std::io::Error::other(format!(
            "usbredir: a message of {length} bytes"
        )));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

/// A number of up to 4 bytes.
pub(super) fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// The first 8 bytes of a USB control transfer as usbredir orders them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Setup {
    pub(super) endpoint: u8,
    pub(super) request: u8,
    pub(super) request_type: u8,
    pub(super) value: u16,
    pub(super) index: u16,
    pub(super) length: u16,
}

impl Setup {
    /// Splits a message's body; `None` where it is too short.
    pub(super) fn parse(body: &[u8]) -> Option<(Self, &[u8])> {
        let (header, data) = body.split_at_checked(10)?;
        let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let (value, index, length) = (word(4), word(6), word(8));
        Some((
            Self {
                endpoint: header[0],
                request: header[1],
                request_type: header[2],
                value,
                index,
                length,
            },
            data,
        ))
    }

    /// Whether the device answers with data.
    pub(super) fn is_in(self) -> bool {
        self.request_type & 0x80 != 0
    }

    /// The answer's body; without data the transfer stalls.
    pub(super) fn answer(self, data: Option<&[u8]>) -> Vec<u8> {
        let (status, data) = data.map_or((status::STALL, &[][..]), |data| (status::SUCCESS, data));
        let data = if self.is_in() {
            &data[..data.len().min(usize::from(self.length))]
        } else {
            &[]
        };
        let length = if self.is_in() || status == status::STALL {
            data.len() as u16
        } else {
            self.length
        };
        let mut body = vec![self.endpoint, self.request, self.request_type, status];
        for word in [self.value, self.index, length] {
            body.extend_from_slice(&word.to_le_bytes());
        }
        body.extend_from_slice(data);
        body
    }
}

/// The body of a bulk transfer's answer.
pub(super) fn bulk(endpoint: u8, status: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u32).to_le_bytes();
    let mut body = vec![
        endpoint, status, length[0], length[1], 0, 0, 0, 0, length[2], length[3],
    ];
    body.extend_from_slice(data);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_as_it_was_sent() {
        let mut wire = Vec::new();
        send(
            &mut wire,
            kind::BULK,
            0x0123_4567_89ab_cdef,
            &bulk(0x81, status::SUCCESS, &[7; 70_000]),
        )
        .unwrap();
        let message = receive(&mut wire.as_slice()).unwrap();
        assert_eq!(
            (message.kind, message.id, message.body.len()),
            (101, 0x0123_4567_89ab_cdef, 70_010)
        );
        let (low, high) = (number(&message.body[2..4]), number(&message.body[8..10]));
        assert_eq!(low | high << 16, 70_000);
        assert!(receive(&mut &wire[..20]).is_err());
    }

    #[test]
    fn hello_has_the_short_header() {
        let mut wire = Vec::new();
        hello(&mut wire).unwrap();
        assert_eq!((wire.len(), number(&wire[4..8])), (80, 68));
        hear_hello(&mut wire.as_slice()).unwrap();
    }

    #[test]
    fn answers_are_no_longer_than_asked_for() {
        let body = [0x80, 6, 0x80, 0, 0, 1, 0, 0, 4, 0];
        let (setup, data) = Setup::parse(&body).unwrap();
        assert!(setup.is_in() && data.is_empty() && setup.value == 0x100);
        assert_eq!(setup.answer(Some(&[1; 18]))[8..], [4, 0, 1, 1, 1, 1]);
        assert_eq!(setup.answer(None)[3..], [status::STALL, 0, 1, 0, 0, 0, 0]);
        assert_eq!(Setup::parse(&body[..9]), None);
    }
}
