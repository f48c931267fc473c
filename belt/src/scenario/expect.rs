//! What must come of a scenario.

use std::fmt;

use beltwatch_core::{Alarm, Counters, Fault, State};
use serde::Deserialize;

/// What must come of a scenario, besides that no part goes wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Counters at the end, by the names of [`Counters`]; those that are not named must be zero. Without the
    /// table none is looked at.
    pub counters: Option<toml::Table>,
    /// The faults that came, and no others.
    pub faults: Vec<Fault>,
    /// The alarms that came, and no others.
    pub alarms: Vec<Alarm>,
    /// The state at the end.
    pub state: State,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            counters: None,
            faults: Vec::new(),
            alarms: Vec::new(),
            state: State::ContinuousExecution,
        }
    }
}

fn table(counters: &Counters) -> toml::Table {
    toml::Table::try_from(counters).expect("counters are a table of numbers")
}

/// Says so where two lists, in whatever order, do not hold the same.
fn differ<T: Clone + Ord + fmt::Debug>(what: &str, found: &[T], expected: &[T]) -> Option<String> {
    let [found, expected] = [found, expected].map(|list| {
        let mut list = list.to_vec();
        list.sort();
        list
    });
    (found != expected).then(|| format!("{what} {found:?}, expected {expected:?}"))
}

impl Expect {
    /// A counter that does not exist, or is no number.
    pub(super) fn unknown(&self) -> Option<String> {
        let known = table(&Counters::default());
        let unknown = |table: &toml::Table, known: &toml::Table| {
            let bad = table
                .iter()
                .find(|(k, v)| known.get(*k).is_none_or(|w| !w.same_type(v)));
            bad.map(|(k, _)| k.clone())
        };
        let counters = self.counters.as_ref()?;
        let rejected = |t: &toml::Table| {
            t.get("rejected")
                .and_then(toml::Value::as_table)
                .cloned()
                .unwrap_or_default()
        };
        unknown(counters, &known)
            .or_else(|| unknown(&rejected(counters), &rejected(&known)).map(|k| format!("rejected.{k}")))
    }

    /// What is not as expected, in words.
    pub fn unexpected(
        &self,
        counters: &Counters,
        faults: &[Fault],
        alarms: &[Alarm],
        state: State,
    ) -> Vec<String> {
        let mut wrong = self.wrong_counters(counters);
        wrong.extend(differ("faults", faults, &self.faults));
        wrong.extend(differ("alarms", alarms, &self.alarms));
        if state != self.state {
            wrong.push(format!("state {state:?} at the end, expected {:?}", self.state));
        }
        wrong
    }

    fn wrong_counters(&self, counters: &Counters) -> Vec<String> {
        fn compare(path: &str, expected: Option<&toml::Table>, found: &toml::Table, wrong: &mut Vec<String>) {
            for (name, value) in found {
                let wanted = expected.and_then(|t| t.get(name));
                if let toml::Value::Table(inner) = value {
                    compare(
                        &format!("{path}{name}."),
                        wanted.and_then(toml::Value::as_table),
                        inner,
                        wrong,
                    );
                } else if value.as_integer().unwrap_or(0)
                    != wanted.and_then(toml::Value::as_integer).unwrap_or(0)
                {
                    let wanted = wanted.and_then(toml::Value::as_integer).unwrap_or(0);
                    wrong.push(format!("counter {path}{name} is {value}, expected {wanted}"));
                }
            }
        }
        let mut wrong = Vec::new();
        if let Some(expected) = &self.counters {
            compare("", Some(expected), &table(counters), &mut wrong);
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(text: &str) -> Expect {
        toml::from_str(text).expect("an expectation")
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(
            expect("counters = { triggers = 3, rejected.defect = 1 }").unknown(),
            None
        );
        assert_eq!(
            expect("counters = { trigger = 3 }").unknown(),
            Some("trigger".into())
        );
        assert_eq!(
            expect("counters = { rejected.dust = 3 }").unknown(),
            Some("rejected.dust".into())
        );
        assert_eq!(
            expect("counters = { triggers = '3' }").unknown(),
            Some("triggers".into())
        );
    }

    #[test]
    fn what_is_not_named_is_zero() {
        let mut counters = Counters {
            triggers: 3,
            passed: 2,
            ..Counters::default()
        };
        counters.rejected.defect = 1;
        let right = "counters = { triggers = 3, passed = 2, rejected.defect = 1 }";
        assert_eq!(expect(right).wrong_counters(&counters), Vec::<String>::new());
        let wrong = expect("counters = { triggers = 3, passed = 1 }").wrong_counters(&counters);
        assert_eq!(
            wrong,
            [
                "counter passed is 2, expected 1",
                "counter rejected.defect is 1, expected 0"
            ]
        );
        assert_eq!(expect("").wrong_counters(&counters), Vec::<String>::new());
    }
}
