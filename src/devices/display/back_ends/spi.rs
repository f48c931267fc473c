//! A panel on an SPI bus.

use embedded_graphics::pixelcolor::raw::RawU24;
use embedded_graphics::pixelcolor::{Rgb565, Rgb888};
use embedded_graphics::prelude::*;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{CdevPin, Delay, SpidevDevice, gpio_cdev};
use mipidsi::interface::{Interface, InterfaceKind};
use mipidsi::models::{ILI9341Rgb565, Model, ST7789, ST7796};
use mipidsi::options::{ColorInversion, ColorOrder};
use mipidsi::{Builder, Display};

use super::{DisplayError, Screen};
use crate::board::{SpiConfig, SpiModel, SpiPin};
use crate::devices::display::Canvas;

/// The kernel's driver takes so much at once, as it comes.
const BATCH: usize = 4096;

/// Opens the panel.
///
/// # Errors
/// The bus or a line is not there or taken. What the panel makes of it nobody can tell: it does not answer.
pub(super) fn open(config: &SpiConfig, size: [u16; 2]) -> Result<Box<dyn Screen>, DisplayError> {
    Ok(match config.model {
        SpiModel::Ili9341 => Box::new(Panel::open(ILI9341Rgb565, config, size)?),
        SpiModel::St7789 => Box::new(Panel::open(ST7789, config, size)?),
        SpiModel::St7796 => Box::new(Panel::open(ST7796, config, size)?),
    })
}

struct Panel<M: Model<ColorFormat = Rgb565>> {
    display: Display<Bus, M, mipidsi::NoResetPin>,
    size: [u16; 2],
    /// A line that is let go may fall: no reset, and the light stays on.
    _held: Vec<CdevPin>,
}

impl<M: Model<ColorFormat = Rgb565>> Panel<M> {
    fn open(model: M, config: &SpiConfig, size: [u16; 2]) -> Result<Self, DisplayError> {
        let device = |what: String| DisplayError::Device(format!("{}: {what}", config.device.display()));
        let mut spi = SpidevDevice::open(&config.device).map_err(|e| {
            device(format!(
                "{e}; is SPI switched on, and may this user open it (group `spi`)?"
            ))
        })?;
        let options = SpidevOptions::new()
            .bits_per_word(8)
            .max_speed_hz(config.clock_hz)
            .mode(SpiModeFlags::SPI_MODE_0)
            .build();
        spi.configure(&options)
            .map_err(|e| device(format!("takes no clock of {} Hz: {e}", config.clock_hz)))?;
        let mut held = Vec::new();
        if let Some(reset) = &config.reset {
            let set =
                |pin: &mut CdevPin, high| pin.0.set_value(high).map_err(|e| device(format!("reset: {e}")));
            let mut pin = pin(reset, 1)?;
            for (level, ms) in [(0, 20), (1, 150)] {
                set(&mut pin, level)?;
                std::thread::sleep(std::time::Duration::from_millis(ms));
            }
            held.push(pin);
        }
        if let Some(backlight) = &config.backlight {
            held.push(pin(backlight, 1)?);
        }
        let bus = Bus {
            spi,
            dc: pin(&config.dc, 0)?,
            batch: Vec::with_capacity(BATCH),
        };
        let display = Builder::new(model, bus)
            .display_size(size[0], size[1])
            .display_offset(config.offset[0], config.offset[1])
            .invert_colors(if config.invert {
                ColorInversion::Inverted
            } else {
                ColorInversion::Normal
            })
            .color_order(if config.bgr {
                ColorOrder::Bgr
            } else {
                ColorOrder::Rgb
            })
            .init(&mut Delay)
            .map_err(|e| device(format!("the panel cannot be set up: {e:?}")))?;
        log::info!(
            "display: {:?} on {}, {}x{}",
            config.model,
            config.device.display(),
            size[0],
            size[1]
        );
        Ok(Self {
            display,
            size,
            _held: held,
        })
    }
}

impl<M: Model<ColorFormat = Rgb565>> Screen for Panel<M> {
    fn size(&self) -> Size {
        Size::new(self.size[0].into(), self.size[1].into())
    }

    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        let pixels = canvas
            .pixels()
            .iter()
            .map(|&p| Rgb565::from(Rgb888::from(RawU24::new(p))));
        let [width, height] = self.size;
        self.display
            .set_pixels(0, 0, width - 1, height - 1, pixels)
            .map_err(|e| DisplayError::Device(format!("the SPI panel: {e}")))
    }
}

/// An output, driven to `level` from the start.
fn pin(pin: &SpiPin, level: u8) -> Result<CdevPin, DisplayError> {
    let SpiPin { chip, line } = pin;
    let failed = |e: gpio_cdev::Error| DisplayError::Device(format!("line {line} of {chip}: {e}"));
    let mut chips = gpio_cdev::chips().map_err(failed)?.filter_map(Result::ok);
    let Some(mut found) = chips.find(|c| c.label() == chip) else {
        return Err(DisplayError::Device(format!(
            "no GPIO chip is labelled `{chip}`; `gpiodetect` lists them"
        )));
    };
    let line = found.get_line(*line).map_err(failed)?;
    let handle = line
        .request(gpio_cdev::LineRequestFlags::OUTPUT, level, "beltwatch display")
        .map_err(failed)?;
    CdevPin::new(handle).map_err(failed)
}

/// The bus with its data/command line.
struct Bus {
    spi: SpidevDevice,
    dc: CdevPin,
    batch: Vec<u8>,
}

impl Bus {
    fn send(&mut self, is_data: bool, bytes: &[u8]) -> Result<(), String> {
        use linux_embedded_hal::spidev::SpidevTransfer;
        self.dc
            .0
            .set_value(u8::from(is_data))
            .map_err(|e| e.to_string())?;
        for bytes in bytes.chunks(BATCH) {
            self.spi
                .transfer(&mut SpidevTransfer::write(bytes))
                .map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        let batch = std::mem::take(&mut self.batch);
        let result = self.send(true, &batch);
        self.batch = batch;
        self.batch.clear();
        result
    }
}

impl Interface for Bus {
    type Word = u8;
    type Error = String;

    const KIND: InterfaceKind = InterfaceKind::Serial4Line;

    fn send_command(&mut self, command: u8, args: &[u8]) -> Result<(), String> {
        self.send(false, &[command])?;
        self.send(true, args)
    }

    fn send_pixels<const N: usize>(
        &mut self,
        pixels: impl IntoIterator<Item = [u8; N]>,
    ) -> Result<(), String> {
        for pixel in pixels {
            if self.batch.len() + N > BATCH {
                self.flush()?;
            }
            self.batch.extend_from_slice(&pixel);
        }
        self.flush()
    }

    fn send_repeated_pixel<const N: usize>(&mut self, pixel: [u8; N], count: u32) -> Result<(), String> {
        self.send_pixels(std::iter::repeat_n(pixel, count as usize))
    }
}
