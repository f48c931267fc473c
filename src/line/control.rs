//! The control socket: what an operator or another program asks of a running line. A command a line, an
//! answer a line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use beltwatch_core::{Command, Device, Input};
use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::processor::{Cores, Team};
use beltwatch_vision::recipe::Recipe;
use beltwatch_vision::reconstruct::Kernel;

use super::queue::Sender;
use super::tell::status::{InForce, Status};
use super::wiring::{Change, Event, Shared};

/// Looks this often whether the line has ended.
const PATIENCE: Duration = Duration::from_millis(50);
/// A client that says nothing for longer is let go.
const SILENCE: Duration = Duration::from_secs(5);
/// The longest command.
const LONGEST: u64 = 4096;

/// A command as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Something for the core.
    Command(Command),
    /// Another recipe, with the threshold that it was taught with.
    Recipe(PathBuf),
    /// Another threshold; none for the taught one.
    Threshold(Option<Score>),
    /// State and counters as JSON.
    Status,
}

/// The commands that are the core's, each with its word.
const COMMANDS: [(&str, Command); 10] = [
    ("start", Command::Start),
    ("single", Command::Single),
    ("halt", Command::Halt),
    ("acknowledge", Command::Acknowledge),
    ("bypass-on", Command::Bypass(true)),
    ("bypass-off", Command::Bypass(false)),
    ("test-fire", Command::TestFire),
    ("challenge", Command::Challenge),
    ("reject-next", Command::RejectNext),
    ("reset-counters", Command::ResetCounters),
];

/// What can be asked for, for help and errors.
pub fn words() -> String {
    let core = COMMANDS.map(|(word, _)| word).join(", ");
    format!("status, {core}, recipe FOLDER, threshold SCORE, threshold taught")
}

impl Request {
    /// Reads a command.
    ///
    /// # Errors
    /// What can be said instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        match word {
            "recipe" if !rest.trim().is_empty() => return Ok(Self::Recipe(rest.trim().into())),
            "threshold" => return threshold(rest.trim()).map(Self::Threshold),
            _ if !rest.is_empty() => return Err(format!("`{}`: commands are {}", text.trim(), words())),
            "status" => return Ok(Self::Status),
            _ => {}
        }
        let found = COMMANDS.iter().find(|(name, _)| *name == word);
        found
            .map(|&(_, command)| Self::Command(command))
            .ok_or_else(|| format!("`{word}`: commands are {}", words()))
    }
}

/// Reads a threshold as it is written.
fn threshold(text: &str) -> Result<Option<Score>, String> {
    let score = text.parse().ok().and_then(Score::checked);
    match score {
        _ if text == "taught" => Ok(None),
        Some(score) if score > Score(0) => Ok(Some(score)),
        _ => Err(format!(
            "threshold `{text}`: a score above 0 and below 256, or the word `taught`"
        )),
    }
}

/// Asks a running line.
///
/// # Errors
/// No line listens there, or it said no.
pub fn ask(socket: &Path, request: &str) -> Result<String, String> {
    let talk = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(4 * SILENCE))?;
        writeln!(stream, "{request}")?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok::<_, std::io::Error>(answer.trim_end().to_owned())
    };
    let answer =
        talk().map_err(|e| format!("{}: {e}; does a line run with this socket?", socket.display()))?;
    match answer.strip_prefix("error: ") {
        Some(why) => Err(why.to_owned()),
        None => Ok(answer),
    }
}

/// The line's end of the socket.
pub(super) struct Control<'q> {
    pub(super) listener: UnixListener,
    pub(super) commands: &'q Mutex<Sender<'q, Input>>,
    pub(super) changes: SyncSender<Change>,
    pub(super) events: SyncSender<Event>,
    pub(super) status: &'q Mutex<Status>,
    pub(super) shared: &'q Shared,
    pub(super) cores: Cores,
    pub(super) in_force: InForce,
}

impl Control<'_> {
    /// Answers one client after the other until the line has ended.
    pub(super) fn serve(mut self) {
        while !self.shared.core_ended.load(Ordering::Acquire) {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Err(e) = self.talk(&stream) {
                        log::debug!("a client of the control socket: {e}");
                    }
                }
                Err(_) => std::thread::sleep(PATIENCE),
            }
        }
    }

    fn talk(&mut self, stream: &UnixStream) -> std::io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        let mut text = String::new();
        BufReader::new(std::io::Read::take(stream, LONGEST)).read_line(&mut text)?;
        let answer = Request::parse(&text).and_then(|request| self.answer(request));
        let mut stream = stream;
        match answer {
            Ok(answer) => writeln!(stream, "{answer}"),
            Err(why) => writeln!(stream, "error: {}", why.replace('\n', " ")),
        }
    }

    fn answer(&mut self, request: Request) -> Result<String, String> {
        match request {
            Request::Status => {
                let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
                serde_json::to_string(&*status).map_err(|e| e.to_string())
            }
            Request::Command(command) => {
                self.send(Input::Command(command))?;
                Ok("ok".to_owned())
            }
            Request::Recipe(folder) => self.change_recipe(&folder),
            Request::Threshold(threshold) => self.change_threshold(threshold),
        }
    }

    fn send(&self, input: Input) -> Result<(), String> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = || self.shared.core_ended.load(Ordering::Acquire);
        if commands.send_when_room(input, ended) {
            Ok(())
        } else {
            Err("the line has ended".to_owned())
        }
    }

    /// A recipe that is refused changes nothing: the old one goes on, and READY does not fall.
    fn change_recipe(&mut self, folder: &Path) -> Result<String, String> {
        let recipe = Recipe::load(folder).map_err(|e| e.to_string())?;
        let team = Team::of(self.cores).map_err(|e| e.to_string())?;
        let inspector = Box::new(Inspector::with(&recipe, Kernel::best(), team).map_err(|e| e.to_string())?);
        self.send(Input::Device {
            device: Device::Recipe,
            up: false,
        })?;
        self.change(Change::Recipe(inspector), InForce::of(&recipe))?;
        Ok(format!("ok {recipe}"))
    }

    /// In force from the next part on.
    fn change_threshold(&mut self, threshold: Option<Score>) -> Result<String, String> {
        let threshold = threshold.unwrap_or(self.in_force.taught);
        self.change(
            Change::Threshold(threshold),
            InForce {
                threshold,
                ..self.in_force.clone()
            },
        )?;
        let unknown = || {
            "this recipe does not say how good parts score, so nothing is promised; teach it again".to_owned()
        };
        let promise = self.in_force.promise().map_or_else(unknown, |p| p.to_string());
        Ok(format!(
            "ok threshold {threshold} (taught {}): {promise}",
            self.in_force.taught
        ))
    }

    fn change(&mut self, change: Change, in_force: InForce) -> Result<(), String> {
        let ended = "the line has ended";
        self.changes.send(change).map_err(|_| ended)?;
        self.in_force = in_force.clone();
        Ok(self.events.send(Event::Changed(in_force)).map_err(|_| ended)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_of_the_core_has_a_word() {
        let commands: BTreeSet<_> = COMMANDS
            .iter()
            .map(|(_, command)| format!("{command:?}"))
            .collect();
        // the bypass has two
        assert_eq!(commands.len(), <Command as strum::EnumCount>::COUNT + 1);
    }

    #[test]
    fn commands_as_they_are_written() {
        assert_eq!(
            Request::parse("bypass-on\n"),
            Ok(Request::Command(Command::Bypass(true)))
        );
        assert_eq!(Request::parse(" status "), Ok(Request::Status));
        assert_eq!(Request::parse("recipe /a b"), Ok(Request::Recipe("/a b".into())));
        assert_eq!(
            Request::parse("threshold 1.5"),
            Ok(Request::Threshold(Some(Score(384))))
        );
        assert_eq!(Request::parse("threshold taught"), Ok(Request::Threshold(None)));
        for text in [
            "threshold",
            "threshold 0",
            "threshold 256",
            "threshold -1",
            "threshold NaN",
            "threshold 1 2",
        ] {
            assert!(
                Request::parse(text).is_err_and(|e| e.contains("taught")),
                "{text:?}"
            );
        }
        for text in ["", "fire", "recipe", "halt now", "\u{0}"] {
            assert!(
                Request::parse(text).is_err_and(|e| e.contains("test-fire")),
                "{text:?}"
            );
        }
    }
}
