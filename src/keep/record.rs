//! Records of a line: everything that came in and everything that was decided, a JSON object a line; and
//! their replay.
//!
//! The first line is the [`Header`]; each other one an [`Entry`]. A replay gives the inputs to a new core,
//! each at its time, and compares what is decided with the record, byte for byte.

use std::collections::VecDeque;
use std::io::{BufRead, Write};

use beltwatch_core::{
    Action, Counters, IN_FLIGHT, Input, Line, MonoNanos, OutputLine, Settings, SettingsError,
};
use serde::{Deserialize, Serialize};

/// The version of the format.
pub const FORMAT: u32 = 1;

/// The first line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub beltwatch_record: u32,
    /// Who wrote it.
    pub program: String,
    /// The board's name.
    pub board: String,
    /// The recipe's product and hash.
    pub recipe: String,
    /// The core's settings.
    pub settings: Settings,
    /// What an earlier run had counted.
    pub counters: Counters,
}

/// Another line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it became known or was decided.
    pub t: MonoNanos,
    /// What.
    #[serde(flatten)]
    pub what: Recorded,
}

/// What a line of a record says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recorded {
    /// Came in.
    In(Input),
    /// Was decided.
    Out(Action),
    /// What a frame shows: nothing that the core looks at.
    Picture {
        /// The frame's number.
        frame: u32,
        /// A file, or what was rendered.
        name: String,
        /// SHA-256 of its pixels.
        sha256: String,
    },
    /// So many entries are missing here because the record could not be written fast enough.
    Dropped(u64),
}

/// Writes a record.
pub struct Recording<W: Write> {
    to: W,
}

impl<W: Write> Recording<W> {
    /// Begins one.
    ///
    /// # Errors
    /// What the writer says.
    pub fn begin(mut to: W, header: &Header) -> std::io::Result<Self> {
        line(&mut to, header)?;
        Ok(Self { to })
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// What the writer says.
    pub fn add(&mut self, entry: &Entry) -> std::io::Result<()> {
        line(&mut self.to, entry)
    }

    /// Hands on what is buffered.
    ///
    /// # Errors
    /// What the writer says.
    pub fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

fn line<W: Write>(to: &mut W, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

/// What a replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Inputs given.
    pub inputs: u64,
    /// Decisions that were the same.
    pub decisions: u64,
    /// Verdicts among them.
    pub verdicts: u64,
    /// Pulses of the gate among them.
    pub pulses: u64,
    /// The last line is not whole: the program was killed while it wrote.
    pub cut_off: bool,
}

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ReplayError {
    #[error("line {line}: cannot be read: {source}")]
    Read { line: usize, source: std::io::Error },
    #[error("line {line} is not an entry of a record: {source}")]
    Entry { line: usize, source: serde_json::Error },
    #[error("line 1: this is a record of format {0}, but this version reads format {FORMAT}")]
    Format(u32),
    #[error("line 1: the settings: {0}")]
    Settings(SettingsError),
    #[error(
        "line {line}: {missing} entries are missing from here on: the record was not written fast enough"
    )]
    Dropped { line: usize, missing: u64 },
    #[error("line {line}: decided otherwise\n  record: {recorded}\n  replay: {replayed}")]
    Differs {
        line: usize,
        recorded: String,
        replayed: String,
    },
    #[error("the replay's record cannot be written: {0}")]
    Write(std::io::Error),
}

/// Replays a record; what the replay decides is written to `copy` as a record of its own.
///
/// # Errors
/// See [`ReplayError`]; the first decision that differs ends it.
pub fn replay(from: impl BufRead, copy: &mut dyn Write) -> Result<Replayed, ReplayError> {
    let mut lines = from.lines().enumerate().map(|(i, l)| (i + 1, l)).peekable();
    let read = |(line, text): (usize, std::io::Result<String>)| match text {
        Ok(text) => Ok((line, text)),
        Err(source) => Err(ReplayError::Read { line, source }),
    };
    let (_, text) = lines.next().map_or(Ok((1, String::new())), read)?;
    let header: Header =
        serde_json::from_str(&text).map_err(|source| ReplayError::Entry { line: 1, source })?;
    if header.beltwatch_record != FORMAT {
        return Err(ReplayError::Format(header.beltwatch_record));
    }
    let mut core = Line::<IN_FLIGHT>::new(header.settings, header.counters).map_err(ReplayError::Settings)?;
    let mut copy = Recording::begin(copy, &header).map_err(ReplayError::Write)?;
    let mut decided = VecDeque::new();
    let mut found = Replayed::default();
    while let Some(next) = lines.next() {
        let (line, text) = read(next)?;
        let entry: Entry = match serde_json::from_str(&text) {
            Ok(entry) => entry,
            Err(_) if lines.peek().is_none() => {
                found.cut_off = true;
                break;
            }
            Err(source) => return Err(ReplayError::Entry { line, source }),
        };
        let expected = match entry.what {
            Recorded::Out(_) => decided.pop_front().unwrap_or_else(|| "nothing".to_owned()),
            Recorded::Picture { .. } => {
                copy.add(&entry).map_err(ReplayError::Write)?;
                continue;
            }
            Recorded::Dropped(missing) => return Err(ReplayError::Dropped { line, missing }),
            Recorded::In(input) => {
                if let Some(replayed) = decided.pop_front() {
                    return Err(ReplayError::Differs {
                        line,
                        recorded: text,
                        replayed,
                    });
                }
                found.inputs += 1;
                copy.add(&entry).map_err(ReplayError::Write)?;
                core.take(entry.t, input, &mut |action| {
                    let entry = Entry {
                        t: entry.t,
                        what: Recorded::Out(action),
                    };
                    decided.push_back(serde_json::to_string(&entry).expect("an entry is plain data"));
                });
                continue;
            }
        };
        if expected != text {
            return Err(ReplayError::Differs {
                line,
                recorded: text,
                replayed: expected,
            });
        }
        found.decisions += 1;
        found.verdicts += u64::from(matches!(entry.what, Recorded::Out(Action::Decided { .. })));
        let opened = matches!(
            entry.what,
            Recorded::Out(Action::Output {
                line: OutputLine::Gate,
                on: true,
                ..
            })
        );
        found.pulses += u64::from(opened);
        copy.add(&entry).map_err(ReplayError::Write)?;
    }
    copy.flush().map_err(ReplayError::Write)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use beltwatch_core::{Cause, Command, Device, Quality, Tag, Verdict};

    use super::*;
    use crate::board::Board;

    /// A short run with a reject, written as the line does.
    fn record() -> String {
        let settings = Board::simulated().settings().expect("settings that work");
        let header = Header {
            beltwatch_record: FORMAT,
            program: "test".to_owned(),
            board: "board".to_owned(),
            recipe: "recipe".to_owned(),
            settings,
            counters: Counters::default(),
        };
        let mut text = Vec::new();
        let mut recording = Recording::begin(&mut text, &header).expect("memory");
        let mut core = Line::<IN_FLIGHT>::new(settings, Counters::default()).expect("settings that work");
        let ms = |ms: u64| MonoNanos(ms * 1_000_000);
        let up = |&device| (ms(1), Input::Device { device, up: true });
        let mut inputs: Vec<_> = Device::ALL.iter().map(up).collect();
        inputs.extend([
            (ms(2), Input::Command(Command::Start)),
            (
                ms(100),
                Input::Eye {
                    at: ms(100),
                    sequence: 0,
                    blocked: true,
                },
            ),
            (ms(102), Input::Time),
            (
                ms(161),
                Input::Frame {
                    exposed: ms(160),
                    sequence: 0,
                    quality: Quality::Good,
                },
            ),
            (
                ms(170),
                Input::Verdict {
                    tag: Tag(0),
                    verdict: Verdict::Reject(Cause::Defect),
                },
            ),
            (ms(500), Input::Time),
            (ms(560), Input::Time),
        ]);
        for (t, input) in inputs {
            recording
                .add(&Entry {
                    t,
                    what: Recorded::In(input),
                })
                .expect("memory");
            core.take(t, input, &mut |a| {
                recording
                    .add(&Entry {
                        t,
                        what: Recorded::Out(a),
                    })
                    .expect("memory")
            });
        }
        String::from_utf8(text).expect("JSON")
    }

    #[test]
    fn a_replay_decides_the_same_and_writes_the_same_bytes() {
        let (text, mut copy) = (record(), Vec::new());
        let found = replay(text.as_bytes(), &mut copy).expect("the same");
        assert_eq!(
            (found.inputs, found.verdicts, found.pulses, found.cut_off),
            (12, 1, 1, false)
        );
        assert_eq!(String::from_utf8(copy).expect("JSON"), text);
    }

    #[test]
    fn a_changed_decision_is_found_with_its_line() {
        let text = record();
        let changed = text.replace(
            "{\"decided\":{\"tag\":0,\"verdict\":{\"reject\":\"defect\"}",
            "{\"decided\":{\"tag\":0,\"verdict\":\"pass\"",
        );
        assert_ne!(text, changed);
        let error = replay(changed.as_bytes(), &mut std::io::sink())
            .expect_err("changed")
            .to_string();
        assert!(
            error.contains("decided otherwise") && error.contains("\"pass\"") && error.contains("defect"),
            "{error}"
        );
        let removed: String = text
            .lines()
            .filter(|l| !l.contains("decided"))
            .flat_map(|l| [l, "\n"])
            .collect();
        assert!(matches!(
            replay(removed.as_bytes(), &mut std::io::sink()),
            Err(ReplayError::Differs { .. })
        ));
    }

    #[test]
    fn damaged_records() {
        let text = record();
        let cut = &text[..text.len() - 20];
        assert!(
            replay(cut.as_bytes(), &mut std::io::sink())
                .expect("what there is")
                .cut_off
        );
        for length in 0..text.len() {
            if text.is_char_boundary(length) {
                let _ = replay(&text.as_bytes()[..length], &mut std::io::sink());
            }
        }
        assert!(matches!(
            replay(&b""[..], &mut std::io::sink()),
            Err(ReplayError::Entry { line: 1, .. })
        ));
        let other = text.replacen("\"beltwatch_record\":1", "\"beltwatch_record\":2", 1);
        assert!(matches!(
            replay(other.as_bytes(), &mut std::io::sink()),
            Err(ReplayError::Format(2))
        ));
        let dropped = text.replacen("\n{\"t\"", "\n{\"t\":5,\"dropped\":7}\n{\"t\"", 1);
        assert!(matches!(
            replay(dropped.as_bytes(), &mut std::io::sink()),
            Err(ReplayError::Dropped { line: 2, missing: 7 })
        ));
    }
}
