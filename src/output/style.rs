//! Whether there is colour, and how text leaves the program.
//!
//! [`Console`] writes results to stdout and everything else to stderr. Colour is dropped where it is not wanted (`--color never`,
//! `NO_COLOR`, a pipe, a dumb terminal), so callers style without asking. A reader who closes the pipe is no error: the caller
//! gets [`Delivery::ReaderGone`] and stops. Only [`Lines`] are written, so text of others is escaped; styling is ours alone.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use anstream::{AutoStream, ColorChoice};

use super::lines::Lines;

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// Colour on a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Colour on a pipe too; a flag beats the environment.
    Always,
    /// No colour.
    Never,
}

/// A word after `--color` that is none of `auto`, `always`, `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("say auto, always or never")]
pub struct UnknownColour;

impl FromStr for Colour {
    type Err = UnknownColour;

    fn from_str(word: &str) -> Result<Self, UnknownColour> {
        match word {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err(UnknownColour),
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}

impl From<Colour> for ColorChoice {
    fn from(colour: Colour) -> Self {
        match colour {
            Colour::Auto => Self::Auto,
            Colour::Always => Self::Always,
            Colour::Never => Self::Never,
        }
    }
}

/// What holds for one stream, once terminal and environment have been asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Text only.
    Plain,
    /// Text with the terminal's colours.
    Coloured,
}

/// How a piece of output ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a reader who has gone wants no more output"]
pub enum Delivery {
    /// All of it was written.
    Complete,
    /// The reader closed the pipe: stop writing, and end as if all had been read.
    ReaderGone,
}

impl Delivery {
    /// Tells a closed pipe, which is nobody's fault, from output that failed.
    ///
    /// # Errors
    /// Any other failure to write, a full disk say.
    pub fn of(written: io::Result<()>) -> io::Result<Self> {
        match written {
            Ok(()) => Ok(Self::Complete),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Self::ReaderGone),
            Err(error) => Err(error),
        }
    }
}

/// The two streams of the program, with the colour that was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console {
    colour: Colour,
}

impl Console {
    /// A console that colours as `--color` says.
    #[must_use]
    pub fn new(colour: Colour) -> Self {
        Self { colour }
    }

    /// What holds for stdout, for those who render before they write.
    #[must_use]
    pub fn stdout_paint(&self) -> Paint {
        paint_of(self.stdout().current_choice())
    }

    /// What holds for stderr.
    #[must_use]
    pub fn stderr_paint(&self) -> Paint {
        paint_of(self.stderr().current_choice())
    }

    /// Writes a result to stdout.
    ///
    /// # Errors
    /// What the stream answers, but for a closed pipe.
    pub fn result(&self, lines: &Lines) -> io::Result<Delivery> {
        deliver(&mut self.stdout(), lines.as_str())
    }

    /// Writes a remark to stderr. Where even that fails there is nobody left to tell, so nothing is said.
    pub fn remark(&self, lines: &Lines) {
        drop(deliver(&mut self.stderr(), lines.as_str()));
    }

    /// Says on stderr why a command can't go on.
    pub fn error(&self, why: impl fmt::Display) {
        self.remark(&Lines::of(format_args!("error: {why}")));
    }

    /// Says on stderr what a person should know although the command goes on.
    pub fn warning(&self, what: impl fmt::Display) {
        self.remark(&Lines::of(format_args!("warning: {what}")));
    }

    fn stdout(self) -> AutoStream<io::Stdout> {
        AutoStream::new(io::stdout(), self.colour.into())
    }

    fn stderr(self) -> AutoStream<io::Stderr> {
        AutoStream::new(io::stderr(), self.colour.into())
    }
}

fn paint_of(choice: ColorChoice) -> Paint {
    match choice {
        ColorChoice::Never => Paint::Plain,
        _ => Paint::Coloured,
    }
}

fn deliver(stream: &mut impl Write, text: &str) -> io::Result<Delivery> {
    Delivery::of(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// A stream that fails in one way.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_who_leaves_is_no_error_and_a_full_disk_is() {
        assert_eq!(deliver(&mut Failing(io::ErrorKind::BrokenPipe), "text").unwrap(), Delivery::ReaderGone);
        let error = deliver(&mut Failing(io::ErrorKind::StorageFull), "text").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn text_arrives_whole() {
        let mut stream = Vec::new();
        assert_eq!(deliver(&mut stream, "in step\n").unwrap(), Delivery::Complete);
        assert_eq!(stream, b"in step\n");
    }

    #[test]
    fn a_stream_without_colour_drops_ours() {
        let styled = "\u{1b}[31mblocked\u{1b}[0m";
        let written = |colour: Colour| {
            let mut stream = AutoStream::new(Vec::new(), colour.into());
            stream.write_all(styled.as_bytes()).unwrap();
            String::from_utf8(stream.into_inner()).unwrap()
        };
        assert_eq!(written(Colour::Never), "blocked");
        assert_eq!(written(Colour::Always), styled);
    }

    #[test]
    fn the_flag_decides_on_a_pipe_too() {
        assert_eq!(Console::new(Colour::Always).stdout_paint(), Paint::Coloured);
        assert_eq!(Console::new(Colour::Never).stderr_paint(), Paint::Plain);
    }

    #[test]
    fn every_choice_is_read_as_it_is_written() {
        for colour in [Colour::Auto, Colour::Always, Colour::Never] {
            assert_eq!(colour.to_string().parse(), Ok(colour));
        }
        assert_eq!("blue".parse::<Colour>(), Err(UnknownColour));
    }
}
