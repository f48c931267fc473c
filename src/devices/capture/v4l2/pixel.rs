//! The pixel formats that are understood, and which of them are Bayer mosaics.

use std::fmt;

use crate::board::Pixel;

/// Four characters that name a pixel format.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub u32);

impl FourCc {
    /// From its characters.
    pub const fn new(characters: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(characters))
    }

    /// A picture straight from the sensor, whose pixels have one colour each. The codes are `BG10`, `pRAA`,
    /// `BA81` and the like, and the Raspberry Pi's compressed `PC1B`.
    pub fn is_bayer(self) -> bool {
        match self.0.to_le_bytes() {
            [b'B', b'A', b'8', b'1'] | [b'G', b'B' | b'R', _, b'G'] | [b'R', b'G', b'G', b'B'] => true,
            [
                b'B' | b'G' | b'R',
                b'G' | b'B' | b'A' | b'R',
                b'1',
                b'0' | b'2' | b'4' | b'6',
            ] => true,
            [
                b'p',
                b'B' | b'G' | b'g' | b'R',
                b'A' | b'C' | b'E',
                b'A' | b'C' | b'E',
            ] => true,
            [b'a' | b'b', b'B' | b'G' | b'g' | b'R', b'A', b'8'] => true,
            [b'P', b'C', b'1', b'B' | b'G' | b'g' | b'R'] => true,
            code => code == *b"BYR2",
        }
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.0.to_le_bytes().iter().map(|&b| char::from(b)).collect();
        f.pad(&text.escape_debug().to_string())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

impl Pixel {
    /// The kernel's code.
    pub fn fourcc(self) -> FourCc {
        FourCc::new(match self {
            Self::Grey => *b"GREY",
            Self::Yuyv => *b"YUYV",
            Self::Nv12 => *b"NV12",
            Self::Mjpeg => *b"MJPG",
            Self::Rgb3 => *b"RGB3",
        })
    }

    /// The one with the kernel's code. Some drivers call their motion JPEG plain `JPEG`.
    pub fn from_fourcc(code: FourCc) -> Option<Self> {
        let jpeg = (code == FourCc::new(*b"JPEG")).then_some(Self::Mjpeg);
        Self::ALL.iter().copied().find(|p| p.fourcc() == code).or(jpeg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bayer_is_told_from_pictures() {
        for code in [
            "BA81", "GBRG", "GRBG", "RGGB", "BG10", "GB10", "BA10", "RG10", "pBAA", "pGAA", "pgAA", "pRAA",
            "BG12", "GB12", "BA12", "RG12", "pBCC", "pgCC", "pREE", "BG14", "RG14", "BYR2", "GB16", "GR16",
            "RG16", "aBA8", "bRA8", "PC1B", "PC1g",
        ] {
            let bytes: [u8; 4] = code.as_bytes().try_into().expect("four characters");
            assert!(FourCc::new(bytes).is_bayer(), "{code}");
        }
        for code in [
            "GREY", "YUYV", "NV12", "MJPG", "RGB3", "BGR3", "YU12", "UYVY", "Y10 ", "Y16 ", "H264", "RGBP",
        ] {
            let bytes: [u8; 4] = code.as_bytes().try_into().expect("four characters");
            assert!(!FourCc::new(bytes).is_bayer(), "{code}");
        }
    }

    #[test]
    fn codes_and_names_come_back() {
        for &pixel in Pixel::ALL {
            assert_eq!(Pixel::from_fourcc(pixel.fourcc()), Some(pixel));
            let named: Result<Pixel, toml::de::Error> = toml::Value::from(pixel.to_string()).try_into();
            assert_eq!(named, Ok(pixel));
        }
        assert_eq!(FourCc::new(*b"MJPG").0, 0x4750_4a4d);
        assert_eq!(FourCc(7).to_string(), "\\u{7}\\0\\0\\0");
    }
}
