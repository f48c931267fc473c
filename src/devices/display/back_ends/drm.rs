//! A monitor or a panel of the graphics driver: a dumb buffer on a CRTC, without a desktop.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use drm::buffer::{Buffer, DrmFourcc};
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{ClipRect, Device, Mode, ModeTypeFlags, connector, crtc, framebuffer};
use embedded_graphics::prelude::*;

use super::{DisplayError, Screen};
use crate::board::DrmConfig;
use crate::devices::display::Canvas;

const CARDS: &str = "/dev/dri";
const WHO: &str = "may this user open it (group `video`), and does no desktop run on it?";

#[derive(Debug)]
struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}
impl Device for Card {}

pub(super) struct Drm {
    card: Card,
    path: PathBuf,
    connector: connector::Handle,
    buffer: DumbBuffer,
    framebuffer: framebuffer::Handle,
}

impl Drm {
    /// Takes the connector of that name on any card, or the first one to which something is plugged, in the
    /// mode of that size or the one that it likes best.
    pub(super) fn open(config: &DrmConfig, size: Option<[u16; 2]>) -> Result<Self, DisplayError> {
        let none = system(Path::new(CARDS), "cannot be listed; is there a graphics driver?");
        let entries = fs::read_dir(CARDS).map_err(none)?;
        let mut cards: Vec<PathBuf> = entries
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| {
                p.file_name()
                    .is_some_and(|n| n.to_string_lossy().starts_with("card"))
            })
            .collect();
        cards.sort();
        let mut why = None;
        for path in cards {
            match Self::on_card(&path, config, size) {
                Ok(Some(screen)) => return Ok(screen),
                Ok(None) => {}
                Err(e) => why = Some(e),
            }
        }
        Err(why.unwrap_or_else(|| {
            let wanted = config.connector.as_deref().unwrap_or("any connector");
            DisplayError::Device(format!("{CARDS}: nothing is plugged to {wanted}"))
        }))
    }

    fn on_card(
        path: &Path,
        config: &DrmConfig,
        size: Option<[u16; 2]>,
    ) -> Result<Option<Self>, DisplayError> {
        let refused = system(path, WHO);
        let card = Card(
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .map_err(&refused)?,
        );
        // a card that only renders has no connectors
        let Ok(resources) = card.resource_handles() else {
            return Ok(None);
        };
        let connectors = resources
            .connectors()
            .iter()
            .filter_map(|&handle| card.get_connector(handle, true).ok());
        let is_wanted = |c: &connector::Info| {
            config
                .connector
                .as_ref()
                .is_none_or(|name| *name == c.to_string())
        };
        let mut connectors: Vec<_> = connectors
            .filter(|c| is_wanted(c) && is_plugged(c) && !c.modes().is_empty())
            .collect();
        // some cannot tell whether something is plugged
        connectors.sort_by_key(|c| c.state() != connector::State::Connected);
        let Some(connector) = connectors.first() else {
            return Ok(None);
        };
        let mode = mode(connector, size)?;
        let crtcs = connector
            .encoders()
            .iter()
            .filter_map(|&e| card.get_encoder(e).ok());
        let crtc: Option<crtc::Handle> = crtcs
            .flat_map(|e| resources.filter_crtcs(e.possible_crtcs()))
            .next();
        let Some(crtc) = crtc else {
            return Err(DisplayError::Device(format!(
                "{}: {connector} has nothing that drives it",
                path.display()
            )));
        };
        let (width, height) = mode.size();
        let buffer = card
            .create_dumb_buffer((width.into(), height.into()), DrmFourcc::Xrgb8888, 32)
            .map_err(system(path, "no memory for the screen"))?;
        let framebuffer = card
            .add_framebuffer(&buffer, 24, 32)
            .map_err(system(path, "takes no 32-bit pixels"))?;
        card.set_crtc(crtc, Some(framebuffer), (0, 0), &[connector.handle()], Some(mode))
            .map_err(refused)?;
        log::info!("display: {} of {}, {width}x{height}", connector, path.display());
        let connector = connector.handle();
        Ok(Some(Self {
            card,
            path: path.to_owned(),
            connector,
            buffer,
            framebuffer,
        }))
    }
}

fn is_plugged(connector: &connector::Info) -> bool {
    connector.state() != connector::State::Disconnected
}

fn mode(connector: &connector::Info, size: Option<[u16; 2]>) -> Result<Mode, DisplayError> {
    let modes = connector.modes();
    let found = match size {
        Some([width, height]) => modes.iter().find(|m| m.size() == (width, height)),
        None => modes
            .iter()
            .find(|m| m.mode_type().contains(ModeTypeFlags::PREFERRED))
            .or(modes.first()),
    };
    found.copied().ok_or_else(|| {
        let mut sizes: Vec<String> = modes
            .iter()
            .map(|m| format!("{}x{}", m.size().0, m.size().1))
            .collect();
        sizes.dedup();
        DisplayError::Device(format!(
            "{connector} has no mode of display.size, it has {}",
            sizes.join(", ")
        ))
    })
}

fn system(path: &Path, why: &str) -> impl Fn(std::io::Error) -> DisplayError {
    let what = format!("{}: {why}", path.display());
    move |source| DisplayError::System {
        what: what.clone(),
        source,
    }
}

impl Screen for Drm {
    fn size(&self) -> Size {
        self.buffer.size().into()
    }

    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        let failed = system(&self.path, "the screen is gone");
        let connector = self.card.get_connector(self.connector, false).map_err(&failed)?;
        if !is_plugged(&connector) {
            return Err(DisplayError::Device(format!("{connector} is unplugged")));
        }
        let pitch = self.buffer.pitch() as usize;
        let mut memory = self.card.map_dumb_buffer(&mut self.buffer).map_err(&failed)?;
        for (line, row) in memory.chunks_mut(pitch).zip(canvas.rows()) {
            for (to, pixel) in line.chunks_exact_mut(4).zip(row) {
                to.copy_from_slice(&pixel.to_ne_bytes());
            }
        }
        drop(memory);
        // drivers that show the memory itself know no such call
        let Size { width, height } = canvas.size();
        let whole = ClipRect::new(0, 0, width as u16, height as u16);
        match self.card.dirty_framebuffer(self.framebuffer, &[whole]) {
            Err(e) if e.raw_os_error() != Some(rustix::io::Errno::NOSYS.raw_os_error()) => Err(failed(e)),
            _ => Ok(()),
        }
    }
}
