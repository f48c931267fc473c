//! Heat maps for people: dark is as expected, bright is not.

use crate::picture::Picture;

/// Every sixteenth of inferno (Smith and van der Walt, CC0): even steps of brightness, also in grey and for
/// the colour-blind.
const INFERNO: [[u8; 3]; 17] = [
    [0, 0, 4],
    [11, 7, 36],
    [33, 12, 74],
    [61, 9, 101],
    [87, 16, 110],
    [113, 25, 110],
    [138, 34, 106],
    [163, 44, 97],
    [188, 55, 84],
    [210, 70, 68],
    [228, 90, 49],
    [241, 115, 29],
    [249, 142, 9],
    [252, 172, 17],
    [249, 203, 53],
    [242, 234, 105],
    [252, 255, 164],
];
/// How much of the picture the hottest place hides, of 255: its structure stays visible.
const MOST_COVER: u32 = 208;

/// The colour (red, green, blue) of a value, from black over red to pale yellow.
pub fn colour(value: u8) -> [u8; 3] {
    let place = usize::from(value) * (INFERNO.len() - 1);
    let (step, part) = (place / 255, (place % 255) as u32);
    let (low, high) = (INFERNO[step], INFERNO[(step + 1).min(INFERNO.len() - 1)]);
    [0, 1, 2].map(|c| mix(low[c], high[c], part))
}

/// A map as a picture of [`colour`]s, `width` values a row.
pub fn plain(map: &[u8], width: usize) -> Picture {
    let data = map.iter().flat_map(|&v| colour(v)).collect();
    Picture {
        width,
        height: map.len() / width.max(1),
        channels: 3,
        data,
    }
}

/// The picture in grey with the map over it, one value a pixel: nothing where the map is 0, then ever more of
/// its colour; from half of the range on, the picture only shines through.
pub fn overlay(picture: &Picture, map: &[u8]) -> Picture {
    let grey = picture.with_channels(1);
    let heat = map.iter().copied().chain(std::iter::repeat(0));
    let paint = |(grey, value): (&u8, u8)| {
        colour(value).map(|c| mix(*grey, c, (2 * u32::from(value)).min(MOST_COVER)))
    };
    Picture {
        channels: 3,
        data: grey.data.iter().zip(heat).flat_map(paint).collect(),
        ..grey
    }
}

/// Pictures of one height, from left to right, in colour; what is lower than the first one stays black below.
pub fn beside(pictures: &[Picture]) -> Picture {
    let height = pictures.first().map_or(0, |p| p.height);
    let width = pictures.iter().map(|p| p.width).sum();
    let mut row = Picture::filled(width, height, 3, 0);
    let mut x = 0;
    for picture in pictures {
        row.paste(&picture.with_channels(3), x, 0);
        x += picture.width;
    }
    row
}

/// `part` / 255 of the way from `low` to `high`, rounded.
fn mix(low: u8, high: u8, part: u32) -> u8 {
    ((u32::from(low) * (255 - part) + u32::from(high) * part + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luma([r, g, b]: [u8; 3]) -> u32 {
        2126 * u32::from(r) + 7152 * u32::from(g) + 722 * u32::from(b)
    }

    #[test]
    fn brightness_rises_all_the_way() {
        assert!(
            (0..255).all(|v| luma(colour(v)) < luma(colour(v + 1)) + 7152),
            "no step back by more than one level of green"
        );
        assert!((0..248).all(|v| luma(colour(v)) < luma(colour(v + 8))));
        assert_eq!((colour(0), colour(255)), ([0, 0, 4], [252, 255, 164]));
        // 51 is 3.2 steps from the left
        assert_eq!(colour(51), [66, 10, 103]);
    }

    #[test]
    fn plain_map() {
        let picture = plain(&[0, 255, 0, 255], 2);
        assert_eq!((picture.width, picture.height, picture.channels), (2, 2, 3));
        assert_eq!(picture.data[3..6], [252, 255, 164]);
        assert_eq!(
            plain(&[], 0),
            Picture {
                width: 0,
                height: 0,
                channels: 3,
                data: vec![]
            }
        );
    }

    #[test]
    fn pictures_beside_each_other() {
        let both = beside(&[Picture::filled(2, 2, 3, 7), Picture::filled(1, 1, 1, 9)]);
        assert_eq!((both.width, both.height, both.channels), (3, 2, 3));
        assert_eq!([both.at(1, 1, 2), both.at(2, 0, 1), both.at(2, 1, 0)], [7, 9, 0]);
        assert_eq!(beside(&[]).data, Vec::<u8>::new());
    }

    #[test]
    fn overlay_leaves_cold_places_alone() {
        let picture = Picture {
            width: 3,
            height: 1,
            channels: 1,
            data: vec![10, 100, 200],
        };
        let out = overlay(&picture, &[0, 255]);
        assert_eq!(
            (out.channels, &out.data[..3], &out.data[6..]),
            (3, &[10; 3][..], &[200; 3][..])
        );
        // 100 * 47 / 255 + colour * 208 / 255
        assert_eq!(out.data[3..6], [224, 226, 152]);
        assert_eq!(overlay(&picture.with_channels(3), &[0, 255]), out);
    }
}
