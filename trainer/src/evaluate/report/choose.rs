//! Which test pictures a person should look at.

use super::super::Scored;

/// Indices into the scored pictures, the most telling first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Good parts that are rejected, the highest score first.
    pub false_rejects: Vec<usize>,
    /// Bad parts that pass, the lowest score first.
    pub misses: Vec<usize>,
    /// Bad parts that are rejected, the highest score first.
    pub finds: Vec<usize>,
}

/// Takes at most `limit` of each kind; equal scores keep their order.
pub fn choose(scored: &[Scored], limit: usize) -> Choice {
    let pick = |good: bool, rejected: bool| {
        let mut found: Vec<usize> = (0..scored.len())
            .filter(|&i| scored[i].good() == good && scored[i].rejected == rejected)
            .collect();
        found.sort_by(|&a, &b| {
            let rising = scored[a].score.total_cmp(&scored[b].score);
            if rejected { rising.reverse() } else { rising }
        });
        found.truncate(limit);
        found
    };
    Choice {
        false_rejects: pick(true, true),
        misses: pick(false, false),
        finds: pick(false, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn the_furthest_on_the_wrong_side_come_first() {
        let parts = [
            ("good", 1.0),
            ("good", 3.0),
            ("good", 5.0),
            ("cut", 1.5),
            ("cut", 0.5),
            ("cut", 9.0),
            ("cut", 7.0),
            ("cut", 9.0),
        ];
        let scored = parts.map(|(label, score)| Scored {
            path: PathBuf::new(),
            label: label.to_owned(),
            mask: None,
            score,
            rejected: score > 2.0,
            map: Vec::new(),
        });
        let expected = Choice {
            false_rejects: vec![2, 1],
            misses: vec![4, 3],
            finds: vec![5, 7],
        };
        assert_eq!(choose(&scored, 2), expected);
        assert_eq!(choose(&scored, 9).finds, [5, 7, 6]);
    }
}
