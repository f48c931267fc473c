//! `[display]` of a board file.

use std::path::PathBuf;

use serde::Deserialize;

/// The largest side of a screen in pixels.
const MAX_SIDE: u16 = 4096;

/// `[display]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisplayConfig {
    /// What shows it.
    pub back_end: DisplayBackEnd,
    /// Width and height of the panel in pixels, before it is turned; where the back end does not know them
    /// itself.
    pub size: Option<[u16; 2]>,
    /// How far the screen is turned clockwise against its panel.
    #[serde(default)]
    pub rotation: Rotation,
}

/// The back ends.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisplayBackEnd {
    /// A PNG file that is replaced once a second: for a web server, a remote desk, tests.
    Png(PathBuf),
    /// A monitor or a panel of the graphics driver, without a desktop (DRM dumb buffer). `size`, if given,
    /// picks the mode.
    Drm(DrmConfig),
    /// An old-style framebuffer (`/dev/fb0`).
    Framebuffer(PathBuf),
    /// A panel on an SPI bus, driven by this program.
    Spi(SpiConfig),
}

/// `back_end.drm`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrmConfig {
    /// The connector's name, as in `HDMI-A-1`; without it the first one to which something is plugged.
    pub connector: Option<String>,
}

/// `back_end.spi`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpiConfig {
    /// The bus, as in `/dev/spidev0.0`.
    pub device: PathBuf,
    /// The panel's controller.
    pub model: SpiModel,
    /// The bus' clock in Hz.
    #[serde(default = "default_clock")]
    pub clock_hz: u32,
    /// The data/command line.
    pub dc: SpiPin,
    /// The reset line, where it is wired.
    pub reset: Option<SpiPin>,
    /// The line that switches the light behind the panel on, where it is wired.
    pub backlight: Option<SpiPin>,
    /// Whether the panel shows everything as a negative otherwise (most IPS panels).
    #[serde(default)]
    pub invert: bool,
    /// Whether red and blue are exchanged otherwise.
    #[serde(default)]
    pub bgr: bool,
    /// Where the panel's first pixel is in the controller's memory.
    #[serde(default)]
    pub offset: [u16; 2],
}

/// Controllers of SPI panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpiModel {
    /// 240 x 320
    Ili9341,
    /// 240 x 320
    St7789,
    /// 320 x 480
    St7796,
}

impl SpiModel {
    /// Width and height of the controller's memory.
    fn size(self) -> [u16; 2] {
        match self {
            Self::Ili9341 | Self::St7789 => [240, 320],
            Self::St7796 => [320, 480],
        }
    }
}

/// A GPIO line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpiPin {
    /// The chip's label.
    pub chip: String,
    /// The line's number on it.
    pub line: u32,
}

/// How far a screen is turned clockwise against its panel's own top; 0, 90, 180 or 270 degrees in a board
/// file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// 90 degrees.
    Quarter,
    /// 180 degrees: upside down.
    Half,
    /// 270 degrees.
    ThreeQuarters,
}

impl TryFrom<u16> for Rotation {
    type Error = String;

    fn try_from(degrees: u16) -> Result<Self, String> {
        match degrees {
            0 => Ok(Self::None),
            90 => Ok(Self::Quarter),
            180 => Ok(Self::Half),
            270 => Ok(Self::ThreeQuarters),
            _ => Err(format!(
                "a screen is turned by 0, 90, 180 or 270 degrees, not by {degrees}"
            )),
        }
    }
}

fn default_clock() -> u32 {
    32_000_000
}

impl DisplayConfig {
    /// Says what cannot work.
    ///
    /// # Errors
    /// In words, with the key.
    pub fn check(&self) -> Result<(), String> {
        match (&self.back_end, self.size) {
            (DisplayBackEnd::Png(_), None) => {
                return Err("display.size is missing: a PNG needs one, as in size = [800, 480]".to_owned());
            }
            (DisplayBackEnd::Framebuffer(_), Some(_)) => {
                return Err("display.size has no meaning here: a framebuffer knows its own".to_owned());
            }
            (_, Some(size)) if !size.iter().all(|side| (16..=MAX_SIDE).contains(side)) => {
                return Err(format!(
                    "display.size = {size:?} is not allowed: each side must be from 16 to {MAX_SIDE}"
                ));
            }
            _ => {}
        }
        let DisplayBackEnd::Spi(spi) = &self.back_end else {
            return Ok(());
        };
        if cfg!(not(feature = "spi-display")) {
            return Err(
                "display.back_end.spi: this program was built without it; build it with \
                        `--features spi-display`"
                    .to_owned(),
            );
        }
        let (size, memory) = (self.size.unwrap_or(spi.model.size()), spi.model.size());
        if (0..2).any(|i| u32::from(size[i]) + u32::from(spi.offset[i]) > u32::from(memory[i])) {
            return Err(format!(
                "display.size = {size:?} with offset {:?} does not fit the controller's {memory:?}; a panel \
                 that hangs the other way needs display.rotation",
                spi.offset
            ));
        }
        if !(100_000..=125_000_000).contains(&spi.clock_hz) {
            return Err(format!(
                "display.back_end.spi.clock_hz = {} must be from 100000 to 125000000",
                spi.clock_hz
            ));
        }
        Ok(())
    }

    /// Width and height of an SPI panel.
    #[cfg(feature = "spi-display")]
    pub fn spi_size(&self, spi: &SpiConfig) -> [u16; 2] {
        self.size.unwrap_or(spi.model.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DisplayConfig, String> {
        let config: DisplayConfig = toml::from_str(text).map_err(|e| e.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn sections_that_work() {
        let png =
            parse("back_end = { png = \"/run/s.png\" }\nsize = [800, 480]\nrotation = 90").expect("valid");
        assert_eq!((png.size, png.rotation), (Some([800, 480]), Rotation::Quarter));
        assert_eq!(
            parse("back_end.drm = {}").expect("valid").back_end,
            DisplayBackEnd::Drm(DrmConfig::default())
        );
        assert!(parse("back_end.drm = { connector = \"HDMI-A-1\" }\nsize = [1280, 720]").is_ok());
        assert!(parse("back_end.framebuffer = \"/dev/fb0\"").is_ok());
        let spi = "back_end.spi = { device = \"/dev/spidev0.0\", model = \"ili9341\", dc = { chip = \"c\", \
                   line = 25 } }";
        assert_eq!(parse(spi).is_ok(), cfg!(feature = "spi-display"));
    }

    #[test]
    fn what_cannot_work_is_said_with_its_key() {
        for (text, said) in [
            ("back_end.png = \"s.png\"", "display.size"),
            ("back_end.png = \"s.png\"\nsize = [8, 480]", "16 to 4096"),
            (
                "back_end.png = \"s.png\"\nsize = [800, 480]\nrotation = 45",
                "90, 180",
            ),
            (
                "back_end.png = \"s.png\"\nsize = [800, 480]\ncolour = 1",
                "colour",
            ),
            (
                "back_end.framebuffer = \"/dev/fb0\"\nsize = [800, 480]",
                "its own",
            ),
            ("back_end.drm = { card = 1 }", "card"),
            ("back_end.hologram = \"x\"", "hologram"),
            ("size = [800, 480]", "back_end"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
