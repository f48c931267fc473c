//! The two threads of a plugged camera: one answers requests, one sends frames in time.

use std::collections::VecDeque;
use std::io::{Result, Write};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::descriptors::{BULK_ENDPOINT, BULK_PACKET, PAYLOAD};
use super::picture::Picture;
use super::usbredir::{self, Message, Setup, kind, status};
use super::{Fault, Shared, State, VENDOR_PRODUCT};

/// Places in usbredir's tables.
const TABLE: usize = 32;
/// Bits of a payload's header, which has two bytes: its own length and these.
const HEADER: usize = 2;
const END_OF_HEADER: u8 = 0x80;
const ERROR: u8 = 0x40;
const END_OF_FRAME: u8 = 0x02;

fn table<T: Copy + Default>(values: &[(usize, T)], rest: T) -> [T; TABLE] {
    let mut table = [rest; TABLE];
    values.iter().for_each(|&(at, value)| table[at] = value);
    table
}

/// Tells the host controller what is plugged in.
pub(super) fn introduce(stream: &mut UnixStream) -> Result<()> {
    let (video, control, streaming) = (0x0e, 1, 2);
    let mut interfaces = Vec::from(2_u32.to_le_bytes());
    for list in [[0, 1], [video, video], [control, streaming], [0, 0]] {
        interfaces.extend(table(&[(0, list[0]), (1, list[1])], 0));
    }
    usbredir::send(stream, kind::INTERFACES, 0, &interfaces)?;
    // places 0 to 15 are endpoints out, 16 to 31 in; the default one is both
    let (default_in, bulk_in) = (16, 16 + usize::from(BULK_ENDPOINT & 0xf));
    let (control, bulk, none) = (0, 2, 255);
    let mut endpoints = Vec::from(table(
        &[(0, control), (default_in, control), (bulk_in, bulk)],
        none,
    ));
    endpoints.extend(table::<u8>(&[], 0));
    endpoints.extend(table(&[(bulk_in, 1_u8)], 0));
    for size in table(&[(0, 64_u16), (default_in, 64), (bulk_in, BULK_PACKET)], 0) {
        endpoints.extend(size.to_le_bytes());
    }
    usbredir::send(stream, kind::ENDPOINTS, 0, &endpoints)?;
    let high_speed = 2;
    let (vendor, product) = VENDOR_PRODUCT;
    let mut connect = vec![high_speed, 0xef, 2, 1];
    for word in [vendor, product, 0x0100] {
        connect.extend(word.to_le_bytes());
    }
    usbredir::send(stream, kind::CONNECT, 0, &connect)
}

/// Answers until the connection ends.
pub(super) fn answer(mut stream: UnixStream, shared: Shared) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("camera-answers".to_owned())
        .spawn(move || {
            let mut serve = || -> Result<()> {
                usbredir::hear_hello(&mut stream)?;
                loop {
                    let message = usbredir::receive(&mut stream)?;
                    let mut state = shared.lock();
                    for (kind, id, body) in replies(&mut state, &message) {
                        usbredir::send(&mut stream, kind, id, &body)?;
                    }
                    drop(state);
                    shared.wake();
                }
            };
            // it ends by an error: the plug was pulled, here or there
            let _ = serve();
            shared.lock().plugged = false;
            shared.wake();
        })
}

fn replies(state: &mut State, message: &Message) -> Vec<(u32, u64, Vec<u8>)> {
    let Message { kind, id, body } = message;
    let first = body.first().copied().unwrap_or_default();
    let reply = |kind, body| vec![(kind, *id, body)];
    match *kind {
        kind::SET_CONFIGURATION => reply(kind::CONFIGURATION, vec![status::SUCCESS, first]),
        kind::GET_CONFIGURATION => reply(kind::CONFIGURATION, vec![status::SUCCESS, 1]),
        kind::SET_ALTERNATE => {
            let setting = body.get(1).copied().unwrap_or_default();
            reply(kind::ALTERNATE, vec![status::SUCCESS, first, setting])
        }
        kind::GET_ALTERNATE => reply(kind::ALTERNATE, vec![status::SUCCESS, first, 0]),
        kind::RESET => {
            state.requests.clear();
            state.device.stop();
            Vec::new()
        }
        kind::CONTROL => match Setup::parse(body) {
            Some((setup, data)) => reply(
                kind::CONTROL,
                setup.answer(state.device.answer(setup, data).as_deref()),
            ),
            None => Vec::new(),
        },
        kind::BULK => {
            state.requests.push_back(*id);
            Vec::new()
        }
        kind::CANCEL => match state.requests.iter().position(|request| request == id) {
            Some(at) => {
                state.requests.remove(at);
                reply(kind::BULK, usbredir::bulk(BULK_ENDPOINT, status::CANCELLED, &[]))
            }
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Sends frames until the plug is pulled: exposures at their times, and the background every `period` around
/// them.
pub(super) fn send_frames(
    mut stream: UnixStream,
    shared: Shared,
    period: Duration,
) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("camera-frames".to_owned())
        .spawn(move || {
            let mut frame_bit = 0;
            let mut due = Instant::now();
            while let Some((at, picture)) = next(&shared, due, period) {
                frame_bit ^= 1;
                // an error means that the other side has gone; the thread that answers sees it, too
                if send_frame(&mut stream, &shared, &picture, frame_bit).is_err() {
                    return;
                }
                due = at.max(Instant::now().checked_sub(period).unwrap_or(at)) + period;
            }
        })
}

/// Waits for the time of the next frame; `None` when the plug is pulled.
fn next(shared: &Shared, mut due: Instant, period: Duration) -> Option<(Instant, Picture)> {
    let mut state = shared.lock();
    loop {
        let now = Instant::now();
        if !state.plugged {
            return None;
        }
        // what could not be exposed in time will not be exposed at all: another part is there by now
        while state.exposures.front().is_some_and(|&(at, _)| at + period < now) {
            state.exposures.pop_front();
        }
        if state.device.wanted().is_none() || state.fault == Fault::Frozen {
            state = shared.wait(state, period);
            due = Instant::now();
            continue;
        }
        // no frame of the background in the period before an exposure: it might still be on its way then
        let exposure = state
            .exposures
            .front()
            .map(|&(at, _)| at)
            .filter(|&at| due + period > at);
        let at = exposure.unwrap_or(due);
        if let Some(wait) = at.checked_duration_since(now).filter(|wait| !wait.is_zero()) {
            state = shared.wait(state, wait);
            continue;
        }
        state.frames += 1;
        if exposure.is_some()
            && let Some((at, picture)) = state.exposures.pop_front()
        {
            state.worst_delay = state.worst_delay.max(now - at);
            return Some((at, picture));
        }
        let picture = state.background[(state.frames % 2) as usize].clone();
        return Some((at, picture));
    }
}

fn send_frame(stream: &mut impl Write, shared: &Shared, picture: &Picture, frame_bit: u8) -> Result<()> {
    let mut state = shared.lock();
    let Some(format) = state.device.wanted() else {
        return Ok(());
    };
    let (flags, share) = match state.fault {
        Fault::Flagged => (ERROR, 1),
        Fault::Truncated => (0, 2),
        Fault::None | Fault::Frozen => (0, 1),
    };
    let bytes = picture.bytes(format);
    let mut payloads: VecDeque<&[u8]> = bytes[..bytes.len() / share].chunks(PAYLOAD - HEADER).collect();
    while let Some(data) = payloads.pop_front() {
        let end = if payloads.is_empty() { END_OF_FRAME } else { 0 };
        let mut payload = vec![HEADER as u8, END_OF_HEADER | flags | end | frame_bit];
        payload.extend_from_slice(data);
        let request = loop {
            if !state.plugged || state.device.wanted().is_none() {
                return Ok(());
            }
            match state.requests.pop_front() {
                Some(request) => break request,
                None => state = shared.wait(state, Duration::from_millis(100)),
            }
        };
        // under the lock: no message of the other thread comes in between
        usbredir::send(
            stream,
            kind::BULK,
            request,
            &usbredir::bulk(BULK_ENDPOINT, status::SUCCESS, &payload),
        )?;
    }
    Ok(())
}
