//! The bar of a round that takes a while: what is done, what waits and until when.
//!
//! It is drawn on stderr, on a terminal only, so a pipe, CI and the journal see nothing of it. `--no-progress` hides it, and
//! without colour it is plain. It counts nothing itself: `commands` hand it a [`Tally`] whenever one changed.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::escape::Shown;
use super::style::Paint;

/// Whether a bar is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressMode {
    /// Drawn where stderr is a terminal.
    #[default]
    OnTerminal,
    /// Never drawn: `--no-progress`, `--quiet`, `--json`.
    Never,
}

/// Where a round stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally<'a> {
    /// Documents that are settled, one way or the other.
    pub done: u64,
    /// Documents of the round.
    pub total: u64,
    /// What can not go on at once.
    pub waiting: Waiting<'a>,
}

/// Documents that can not go on at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting<'a> {
    /// None.
    Nothing,
    /// So many, for an answer of the hub.
    ForAnswer(u64),
    /// So many, until a time that is told as the user reads it (`14:05:10`), for a reason (`the minute's budget`).
    Until {
        /// How many.
        count: u64,
        /// The time as people read it.
        time: Shown<'a>,
        /// What they wait for.
        reason: Shown<'a>,
    },
}

/// A bar on the terminal; dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar on stderr, if it is wanted and stderr is a terminal.
    #[must_use]
    pub fn new(mode: ProgressMode, paint: Paint) -> Self {
        let target = match mode {
            ProgressMode::OnTerminal => ProgressDrawTarget::stderr(),
            ProgressMode::Never => ProgressDrawTarget::hidden(),
        };
        Self::on(target, paint)
    }

    fn on(target: ProgressDrawTarget, paint: Paint) -> Self {
        let template = match paint {
            Paint::Plain => "{bar:24} {msg}",
            Paint::Coloured => "{bar:24.green} {msg}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: ProgressBar::with_draw_target(Some(0), target).with_style(style.progress_chars("━╸─")) }
    }

    /// Whether anybody sees it: then it is worth to count for it.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Shows where the round stands.
    pub fn show(&self, tally: &Tally<'_>) {
        self.bar.set_length(tally.total);
        self.bar.set_position(tally.done);
        self.bar.set_message(message(tally));
        // The three calls above may be dropped by the limit on redraws, and a round can then stand still for a minute.
        self.bar.force_draw();
    }

    /// Runs `write` with the bar out of the way, so that lines on stderr do not land in it.
    pub fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// What is said beside the bar.
fn message(tally: &Tally<'_>) -> String {
    let done = format!("{} of {} done", tally.done, tally.total);
    match &tally.waiting {
        Waiting::Nothing => done,
        Waiting::ForAnswer(count) => format!("{done}, {count} with the hub"),
        Waiting::Until { count, time, reason } => format!("{done}, {count} waiting until {time} for {reason}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use indicatif::TermLike;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// A terminal that remembers what was written to it.
    #[derive(Debug, Clone, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn waiting() -> Tally<'static> {
        let waiting =
            Waiting::Until { count: 3, time: Shown::new("14:05:10"), reason: Shown::new("the minute's\u{1b} budget") };
        Tally { done: 9, total: 12, waiting }
    }

    #[test]
    fn a_terminal_sees_what_is_done_what_waits_and_until_when() {
        let paper = Paper::default();
        let progress = Progress::on(ProgressDrawTarget::term_like(Box::new(paper.clone())), Paint::Plain);
        progress.show(&waiting());
        let drawn = paper.0.lock().unwrap().clone();
        assert!(drawn.contains(r"9 of 12 done, 3 waiting until 14:05:10 for the minute's\u{1b} budget"), "{drawn}");
        assert!(!drawn.contains('\u{1b}'), "{drawn:?}");
        assert!(drawn.contains("━━━"), "{drawn}");
    }

    #[test]
    fn nothing_is_said_of_waiting_where_nothing_waits() {
        assert_eq!(message(&Tally { done: 1, total: 2, waiting: Waiting::Nothing }), "1 of 2 done");
        let asking = Tally { done: 1, total: 4, waiting: Waiting::ForAnswer(2) };
        assert_eq!(message(&asking), "1 of 4 done, 2 with the hub");
    }

    #[test]
    fn who_wants_no_bar_gets_none() {
        let progress = Progress::new(ProgressMode::Never, Paint::Coloured);
        progress.show(&waiting());
        assert!(progress.bar.is_hidden());
    }

    #[test]
    fn lines_beside_the_bar_are_written_and_their_result_comes_back() {
        let progress = Progress::new(ProgressMode::Never, Paint::Plain);
        assert_eq!(progress.aside(|| 7), 7);
    }
}
