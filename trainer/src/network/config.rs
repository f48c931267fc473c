//! The network's shape as configuration.

use serde::{Deserialize, Serialize};

/// The widest convolution that the device runs.
const MOST_CHANNELS: usize = 4096;
/// Items that a memory block can hold; more need memory beyond all use.
const MOST_ITEMS: usize = 4096;

/// What joins the decoder at a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SideKind {
    /// Nothing.
    None,
    /// The encoder's feature itself. It leaks anomalies into the reconstruction; kept for comparison.
    Skip,
    /// A partition memory bank. At the last level it stands in line.
    Pmb,
}

/// The shape of the network; level 1 (half the picture's size) comes first in every list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Width and height of the picture in pixels.
    pub size: usize,
    /// Picture channels: 1 (grey) or 3 (RGB).
    pub channels: usize,
    /// Channels of each level's feature.
    pub widths: Vec<usize>,
    /// Side path of each level.
    pub sides: Vec<SideKind>,
    /// Memory blocks along each axis of each level; read only where the side is `pmb`.
    pub grids: Vec<usize>,
    /// Items in each memory block.
    #[serde(default = "default_items")]
    pub items: usize,
    /// Temperature of the softmax over cosines.
    #[serde(default = "default_temperature")]
    pub temperature: f32,
    /// Channels of each level of the learned difference, a small U-Net on picture and reconstruction; empty:
    /// none.
    #[serde(default)]
    pub head: Vec<usize>,
}

fn default_items() -> usize {
    50
}

fn default_temperature() -> f32 {
    0.1
}

/// Why a network cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ConfigError {
    #[error("network.size is {size}: it must be a positive multiple of {multiple} for {levels} levels")]
    Size {
        /// As configured.
        size: usize,
        /// `2^levels`.
        multiple: usize,
        /// As configured.
        levels: usize,
    },
    #[error("network.channels is {0}: it must be 1 (grey) or 3 (RGB)")]
    Channels(usize),
    #[error("network.widths has {0} levels: give 1 to 8, each of 1 to {MOST_CHANNELS} channels")]
    Widths(usize),
    /// A list is not as long as `widths`.
    #[error("network.{list} has {found} entries, network.widths has {expected}: give one a level")]
    Length {
        /// Which list.
        list: &'static str,
        /// Its length.
        found: usize,
        /// The length of `widths`.
        expected: usize,
    },
    /// A skip at the last level.
    #[error(
        "network.sides: `skip` is not possible at the last level, where nothing is left to skip; use `none` \
         or `pmb`"
    )]
    LastSkip,
    /// A grid does not divide its feature.
    #[error("network.grids: {grid} blocks at level {level} do not divide its feature of {feature} pixels")]
    Grid {
        /// Level, from 1.
        level: usize,
        /// Blocks along each axis.
        grid: usize,
        /// Width of the feature.
        feature: usize,
    },
    #[error(
        "network.head has {levels} levels: at most {most} fit {size} pixels, each of 1 to {MOST_CHANNELS} \
         channels"
    )]
    Head {
        /// As configured.
        levels: usize,
        /// As many as leave a bottleneck of one pixel.
        most: usize,
        /// network.size
        size: usize,
    },
    #[error("network.items is {0}: a memory has 2 to {MOST_ITEMS}")]
    Items(usize),
    #[error("network.temperature is {0}: it must be from 0.001 to 10")]
    Temperature(f32),
}

impl NetworkConfig {
    /// The default: no side paths but memories at the two lowest levels.
    pub fn deep(size: usize, channels: usize) -> Self {
        Self::preset(size, channels, |level, levels| {
            if level + 1 >= levels {
                SideKind::Pmb
            } else {
                SideKind::None
            }
        })
    }

    /// Memory and skip in turns, the idea of Xing and Li (2023); the last level is a memory in any case.
    pub fn alternate(size: usize, channels: usize) -> Self {
        Self::preset(size, channels, |level, levels| {
            if level % 2 == 1 || level == levels {
                SideKind::Pmb
            } else {
                SideKind::Skip
            }
        })
    }

    /// As many levels, up to 5, as leave a bottleneck of at least 8 x 8. The first level is thin: it sees the
    /// most pixels, and a fine picture with a thin level finds more than a coarse one with a wide level.
    fn preset(size: usize, channels: usize, side: impl Fn(usize, usize) -> SideKind) -> Self {
        let fits = |levels: &usize| size.is_multiple_of(1 << levels) && size >> levels >= 8;
        let levels = (1..=5).rev().find(fits).unwrap_or(4);
        Self {
            size,
            channels,
            widths: [16, 32, 64, 128, 256][usize::from(levels < 5)..][..levels].to_vec(),
            sides: (1..=levels).map(|level| side(level, levels)).collect(),
            grids: (1..=levels)
                .map(|level| if size >> level >= 32 { 4 } else { 2 })
                .collect(),
            items: default_items(),
            temperature: default_temperature(),
            head: Vec::new(),
        }
    }

    /// The network of the learned difference: skips at every level, picture and reconstruction in, one
    /// channel out.
    pub(super) fn of_head(&self) -> Option<Self> {
        let levels = self.head.len();
        (levels > 0).then(|| Self {
            channels: 2 * self.channels,
            widths: self.head.clone(),
            sides: (1..=levels)
                .map(|level| {
                    if level < levels {
                        SideKind::Skip
                    } else {
                        SideKind::None
                    }
                })
                .collect(),
            grids: vec![1; levels],
            head: Vec::new(),
            ..self.clone()
        })
    }

    /// Number of levels: how often the encoder halves the picture.
    pub fn levels(&self) -> usize {
        self.widths.len()
    }

    /// Width and height of the feature of `level` (from 1) in pixels.
    pub fn feature(&self, level: usize) -> usize {
        self.size >> level
    }

    /// Multiply-adds for one picture: convolutions, memories and the learned difference. Norms, activations
    /// and the softmax of the memories are not counted.
    pub fn multiply_adds(&self) -> u64 {
        let head = self.of_head().map_or(0, |head| head.of_coder(1));
        self.of_coder(self.channels) + head
    }

    fn of_coder(&self, outputs: usize) -> u64 {
        let levels = self.levels();
        let pixels = |level: usize| (self.feature(level) * self.feature(level)) as u64;
        let mut sum = 0;
        for level in 1..=levels {
            let (inputs, width) = (
                if level == 1 {
                    self.channels
                } else {
                    self.widths[level - 2]
                },
                self.widths[level - 1],
            );
            let (outputs, side) = (
                if level == 1 {
                    outputs
                } else {
                    self.widths[level - 2]
                },
                self.sides[level - 1],
            );
            let joined = if level < levels && side != SideKind::None {
                2 * width
            } else {
                width
            };
            // 3 x 3 down; up, each pixel sees 2 x 2 of the 4 x 4 taps; a query and a sum over the items
            sum += pixels(level) * (inputs * width * 9) as u64;
            sum += pixels(level - 1) * (joined * outputs * 4) as u64;
            sum += if side == SideKind::Pmb {
                pixels(level) * (2 * self.items * width) as u64
            } else {
                0
            };
        }
        sum
    }

    /// Says what is wrong, if anything.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let levels = self.levels();
        if !(1..=8).contains(&levels) || !self.widths.iter().all(|w| (1..=MOST_CHANNELS).contains(w)) {
            return Err(ConfigError::Widths(levels));
        }
        let multiple = 1 << levels;
        if self.size == 0 || !self.size.is_multiple_of(multiple) {
            return Err(ConfigError::Size {
                size: self.size,
                multiple,
                levels,
            });
        }
        if self.channels != 1 && self.channels != 3 {
            return Err(ConfigError::Channels(self.channels));
        }
        for (list, found) in [("sides", self.sides.len()), ("grids", self.grids.len())] {
            if found != levels {
                return Err(ConfigError::Length {
                    list,
                    found,
                    expected: levels,
                });
            }
        }
        if self.sides[levels - 1] == SideKind::Skip {
            return Err(ConfigError::LastSkip);
        }
        for (index, (&side, &grid)) in self.sides.iter().zip(&self.grids).enumerate() {
            let (level, feature) = (index + 1, self.feature(index + 1));
            if side == SideKind::Pmb && (grid == 0 || !feature.is_multiple_of(grid)) {
                return Err(ConfigError::Grid { level, grid, feature });
            }
        }
        let (levels, most) = (self.head.len(), self.size.trailing_zeros() as usize);
        if levels > most || !self.head.iter().all(|w| (1..=MOST_CHANNELS).contains(w)) {
            return Err(ConfigError::Head {
                levels,
                most,
                size: self.size,
            });
        }
        if !(2..=MOST_ITEMS).contains(&self.items) {
            return Err(ConfigError::Items(self.items));
        }
        if !(0.001..=10.0).contains(&self.temperature) {
            return Err(ConfigError::Temperature(self.temperature));
        }
        Ok(())
    }
}

impl std::fmt::Display for NetworkConfig {
    /// One line: size, then each level's width and side path.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{0}x{0}x{1}", self.size, self.channels)?;
        for ((width, side), grid) in self.widths.iter().zip(&self.sides).zip(&self.grids) {
            match side {
                SideKind::None => write!(f, " | {width}")?,
                SideKind::Skip => write!(f, " | {width} skip")?,
                SideKind::Pmb => write!(f, " | {width} pmb {grid}x{grid}x{}", self.items)?,
            }
        }
        if !self.head.is_empty() {
            let widths: Vec<_> = self.head.iter().map(usize::to_string).collect();
            write!(f, " || head {}", widths.join("-"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SideKind::{None, Pmb, Skip};

    #[test]
    fn presets_follow_the_size() {
        let deep = NetworkConfig::deep(128, 3);
        assert_eq!(deep.widths, [32, 64, 128, 256]);
        assert_eq!(deep.sides, [None, None, Pmb, Pmb]);
        let deep = NetworkConfig::deep(256, 1);
        assert_eq!(deep.widths, [16, 32, 64, 128, 256]);
        assert_eq!(deep.sides, [None, None, None, Pmb, Pmb]);
        let alternate = NetworkConfig::alternate(256, 3);
        assert_eq!(alternate.sides, [Pmb, Skip, Pmb, Skip, Pmb]);
        assert_eq!(alternate.grids, [4, 4, 4, 2, 2]);
        for size in [32, 64, 96, 128, 160, 192, 224, 256, 320, 512] {
            assert_eq!(NetworkConfig::deep(size, 3).validate(), Ok(()), "{size}");
            assert_eq!(NetworkConfig::alternate(size, 1).validate(), Ok(()), "{size}");
        }
    }

    #[test]
    fn multiply_adds_by_hand() {
        let mut config = NetworkConfig::deep(128, 3);
        (config.widths, config.sides, config.grids) = (vec![8, 16], vec![Skip, Pmb], vec![1, 2]);
        let down = 64 * 64 * 3 * 8 * 9 + 32 * 32 * 8 * 16 * 9;
        let up = 64 * 64 * 16 * 8 * 4 + 128 * 128 * 16 * 3 * 4;
        assert_eq!(config.multiply_adds(), down + up + 32 * 32 * 16 * 100);
        config.head = vec![4];
        assert_eq!(
            config.multiply_adds(),
            down + up + 32 * 32 * 16 * 100 + 64 * 64 * 6 * 4 * 9 + 128 * 128 * 4 * 4
        );
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        let with = |change: &dyn Fn(&mut NetworkConfig)| {
            let mut config = NetworkConfig::deep(128, 3);
            change(&mut config);
            config.validate().expect_err("must be refused")
        };
        assert_eq!(
            with(&|c| c.size = 100),
            ConfigError::Size {
                size: 100,
                multiple: 16,
                levels: 4
            }
        );
        assert_eq!(
            with(&|c| c.size = 0),
            ConfigError::Size {
                size: 0,
                multiple: 16,
                levels: 4
            }
        );
        assert_eq!(with(&|c| c.channels = 4), ConfigError::Channels(4));
        assert_eq!(with(&|c| c.widths.clear()), ConfigError::Widths(0));
        assert_eq!(with(&|c| c.widths[1] = 0), ConfigError::Widths(4));
        let length = ConfigError::Length {
            list: "sides",
            found: 3,
            expected: 4,
        };
        assert_eq!(with(&|c| c.sides.truncate(3)), length);
        assert_eq!(with(&|c| c.sides[3] = Skip), ConfigError::LastSkip);
        assert_eq!(
            with(&|c| c.grids[2] = 3),
            ConfigError::Grid {
                level: 3,
                grid: 3,
                feature: 16
            }
        );
        assert_eq!(
            with(&|c| c.head = vec![4; 8]),
            ConfigError::Head {
                levels: 8,
                most: 7,
                size: 128
            }
        );
        assert_eq!(
            with(&|c| c.head = vec![8, 0]),
            ConfigError::Head {
                levels: 2,
                most: 7,
                size: 128
            }
        );
        assert_eq!(with(&|c| c.items = 1), ConfigError::Items(1));
        assert_eq!(with(&|c| c.temperature = 0.0), ConfigError::Temperature(0.0));
    }

    #[test]
    fn reads_toml_and_refuses_unknown_keys() {
        let config = NetworkConfig::deep(128, 3);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<NetworkConfig>(&text).unwrap(), config);
        assert!(toml::from_str::<NetworkConfig>(&format!("{text}\nwidht = 3\n")).is_err());
    }
}
