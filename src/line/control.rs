//! The control socket: what an operator or another program asks of a running line. A command a line, an answer a line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use beltwatch_core::{Command, Device, Input};

use super::queue::Sender;
use super::{Event, Shared, Status};
use crate::inspect::Inspector;
use crate::recipe::Recipe;

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
    /// Another recipe.
    Recipe(PathBuf),
    /// State and counters as JSON.
    Status,
}

/// The words, for help and errors.
pub const WORDS: &str = "status, start, single, halt, acknowledge, bypass-on, bypass-off, test-fire, challenge, \
                         reject-next, reset-counters, recipe FOLDER";

impl Request {
    /// Reads a command.
    ///
    /// # Errors
    /// What can be said instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let command = match word {
            "recipe" if !rest.trim().is_empty() => return Ok(Self::Recipe(rest.trim().into())),
            _ if !rest.is_empty() => return Err(format!("`{}`: commands are {WORDS}", text.trim())),
            "status" => return Ok(Self::Status),
            "start" => Command::Start,
            "single" => Command::Single,
            "halt" => Command::Halt,
            "acknowledge" => Command::Acknowledge,
            "bypass-on" => Command::Bypass(true),
            "bypass-off" => Command::Bypass(false),
            "test-fire" => Command::TestFire,
            "challenge" => Command::Challenge,
            "reject-next" => Command::RejectNext,
            "reset-counters" => Command::ResetCounters,
            _ => return Err(format!("`{word}`: commands are {WORDS}")),
        };
        Ok(Self::Command(command))
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
    let answer = talk().map_err(|e| format!("{}: {e}; does a line run with this socket?", socket.display()))?;
    match answer.strip_prefix("error: ") {
        Some(why) => Err(why.to_owned()),
        None => Ok(answer),
    }
}

/// The line's end of the socket.
pub(super) struct Control<'q> {
    pub(super) listener: UnixListener,
    pub(super) commands: &'q Mutex<Sender<'q, Input>>,
    pub(super) recipes: SyncSender<Box<Inspector>>,
    pub(super) events: SyncSender<Event>,
    pub(super) status: &'q Mutex<Status>,
    pub(super) shared: &'q Shared,
}

impl Control<'_> {
    /// Answers one client after the other until the line has ended.
    pub(super) fn serve(&self) {
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

    fn talk(&self, stream: &UnixStream) -> std::io::Result<()> {
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

    fn answer(&self, request: Request) -> Result<String, String> {
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
        }
    }

    fn send(&self, input: Input) -> Result<(), String> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = || self.shared.core_ended.load(Ordering::Acquire);
        if commands.send_when_room(input, ended) { Ok(()) } else { Err("the line has ended".to_owned()) }
    }

    /// A recipe that is refused changes nothing: the old one goes on, and READY does not fall.
    fn change_recipe(&self, folder: &Path) -> Result<String, String> {
        let recipe = Recipe::load(folder).map_err(|e| e.to_string())?;
        let inspector = Box::new(Inspector::new(&recipe).map_err(|e| e.to_string())?);
        let name = recipe.to_string();
        let _ = self.events.try_send(Event::Recipe { name: name.clone(), threshold: inspector.threshold() });
        self.send(Input::Device { device: Device::Recipe, up: false })?;
        self.recipes.send(inspector).map_err(|_| "the line has ended".to_owned())?;
        Ok(format!("ok {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_as_they_are_written() {
        assert_eq!(Request::parse("bypass-on\n"), Ok(Request::Command(Command::Bypass(true))));
        assert_eq!(Request::parse(" status "), Ok(Request::Status));
        assert_eq!(Request::parse("recipe /a b"), Ok(Request::Recipe("/a b".into())));
        for text in ["", "fire", "recipe", "halt now", "\u{0}"] {
            assert!(Request::parse(text).is_err_and(|e| e.contains("test-fire")), "{text:?}");
        }
    }
}
