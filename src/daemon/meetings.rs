//! Pages that a command looked at and wrote into the folder (`hubsync pull`), on their way into the state: what was seen is
//! taken in, the folder is asked what the document says, and the command hears of it once that is kept. For `orders`.

use tokio::time::Instant;

use crate::daemon::control::{MetOrder, Replies, Reply};
use crate::daemon::driver::Driver;
use crate::daemon::event_loop::Tree;
use crate::daemon::orders::decoded;
use crate::engine::{Input, Met};
use crate::page::{Mono, PageId};

/// The longest that one takes: a folder that does not answer keeps nobody.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(15);

/// All that are under way.
#[derive(Debug, Default)]
pub struct Meetings(Vec<Meeting>);

#[derive(Debug)]
struct Meeting {
    page: PageId,
    replies: Replies,
    folder: Folder,
    until: Instant,
}

/// What the folder was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Folder {
    /// The round that knows of so many questions has the answer.
    Asked(u64),
    Answered,
}

impl Meetings {
    /// Begins with one.
    pub fn take(&mut self, order: MetOrder, replies: Replies, driver: &mut Driver, tree: &mut Tree) {
        let Some(path) = decoded(&order.path) else {
            let why = "the path of this order leads out of the root".to_owned();
            return replies.end(Reply::Refused { why, exit: 2 });
        };
        let sent = Mono(driver.now().mono.0.saturating_sub(order.age));
        let MetOrder { page, seen, date, names, .. } = order;
        driver.handle(Input::Met(Box::new(Met { page: page.clone(), path: path.clone(), seen, sent, date, names })));
        let Some(question) = tree.question(vec![path]) else {
            let why = "the folder does not answer the daemon; it takes the document up when it does".to_owned();
            return replies.end(Reply::Refused { why, exit: 75 });
        };
        self.0.push(Meeting { page, replies, folder: Folder::Asked(question), until: Instant::now() + WITHIN });
    }

    /// The folder has answered so many questions.
    pub fn round(&mut self, questions: u64) {
        for meeting in &mut self.0 {
            if matches!(meeting.folder, Folder::Asked(question) if questions >= question) {
                meeting.folder = Folder::Answered;
            }
        }
    }

    /// Answers those that are done.
    pub fn attend(&mut self, driver: &mut Driver) {
        for meeting in std::mem::take(&mut self.0) {
            let kept = meeting.folder == Folder::Answered && driver.engine().is_stored(&meeting.page);
            if kept {
                let apart = driver.engine().keeps_apart(&meeting.page);
                meeting.replies.end(Reply::Met(apart));
            } else if Instant::now() >= meeting.until {
                let why = "the daemon has not taken the document up in time; it goes on by itself".to_owned();
                meeting.replies.end(Reply::Refused { why, exit: 75 });
            } else if !meeting.replies.is_closed() {
                self.0.push(meeting);
            }
        }
    }

    /// Whether one is to be attended to although nothing happens.
    pub fn wait(&self) -> bool {
        !self.0.is_empty()
    }
}
