//! Two channels of an encoder, a quarter of a period apart, as pulses with a direction.

/// Remembers the channels' levels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quadrature {
    a: bool,
    b: bool,
    forward: bool,
}

impl Quadrature {
    /// The channels' levels at the start.
    pub fn new(a: bool, b: bool) -> Self {
        Self { a, b, forward: true }
    }

    /// An edge of channel A, or else of B, to `level`. Whether the belt went forward: A leads B then. An edge
    /// to the level that the channel had already is one after edges that were lost; the belt is taken to go
    /// on as it went.
    pub fn edge(&mut self, is_a: bool, level: bool) -> bool {
        let channel = if is_a { &mut self.a } else { &mut self.b };
        let is_news = std::mem::replace(channel, level) != level;
        if is_news {
            self.forward = if is_a { self.a != self.b } else { self.a == self.b };
        }
        self.forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A period forward, from both low: A up, B up, A down, B down.
    const FORWARD: [(bool, bool); 4] = [(true, true), (false, true), (true, false), (false, false)];

    #[test]
    fn a_leads_forward_and_b_backward() {
        let mut encoder = Quadrature::new(false, false);
        for (is_a, level) in FORWARD.into_iter().cycle().take(12) {
            assert!(encoder.edge(is_a, level));
        }
        for (is_a, level) in FORWARD {
            assert!(!encoder.edge(!is_a, level));
        }
    }

    #[test]
    fn it_turns_anywhere() {
        for turn in 0..4 {
            let mut encoder = Quadrature::new(false, false);
            FORWARD[..=turn]
                .iter()
                .for_each(|&(is_a, level)| assert!(encoder.edge(is_a, level)));
            for &(is_a, level) in FORWARD[..=turn].iter().rev() {
                assert!(!encoder.edge(is_a, !level), "back over {turn}");
            }
        }
    }

    #[test]
    fn after_lost_edges_it_goes_on_as_it_went() {
        let mut encoder = Quadrature::new(false, false);
        assert!(encoder.edge(true, true));
        // B up and A down were lost
        assert!(encoder.edge(true, true));
        let mut back = Quadrature::new(false, false);
        assert!(!back.edge(false, true));
        assert!(!back.edge(false, true));
    }
}
