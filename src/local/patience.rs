//! Work that may never end, done with a deadline: reading a file whose disk or network does not answer blocks in the system
//! and can't be called back, but it must hold up no other file (promise 6).

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::page::DocPath;

/// How many pieces of work may hang before no more are begun: each costs a thread until it ends.
const HANGING: usize = 8;

type Job = Box<dyn FnOnce() + Send>;

/// What became of a piece of work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome<T> {
    /// It is done.
    Done(T),
    /// It took too long, or still hangs from an earlier time; its thread is left behind.
    Hangs,
    /// It panicked.
    Failed,
}

/// One thread for work, replaced whenever it hangs.
#[derive(Debug)]
pub(super) struct Patience {
    deadline: Duration,
    worker: Option<(Sender<Job>, JoinHandle<()>)>,
    hanging: BTreeMap<DocPath, JoinHandle<()>>,
}

impl Patience {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, worker: None, hanging: BTreeMap::new() }
    }

    /// Does `work`, which concerns `path`, within the deadline.
    pub(super) fn run<T: Send + 'static>(
        &mut self,
        path: &DocPath,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Outcome<T> {
        self.hanging.retain(|_, thread| !thread.is_finished());
        if self.hanging.contains_key(path) || self.hanging.len() >= HANGING {
            return Outcome::Hangs;
        }
        let Some((jobs, thread)) = self.worker.take().or_else(start) else {
            // No thread to be had: better late than never.
            return Outcome::Done(work());
        };
        let (answer, answered) = sync_channel(1);
        let job = Box::new(move || drop(answer.send(work())));
        if jobs.send(job).is_err() {
            return Outcome::Failed;
        }
        match answered.recv_timeout(self.deadline) {
            Ok(done) => {
                self.worker = Some((jobs, thread));
                Outcome::Done(done)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.hanging.insert(path.clone(), thread);
                Outcome::Hangs
            }
            Err(RecvTimeoutError::Disconnected) => Outcome::Failed,
        }
    }
}

fn start() -> Option<(Sender<Job>, JoinHandle<()>)> {
    let (jobs, taken): (Sender<Job>, Receiver<Job>) = channel();
    let work = move || taken.into_iter().for_each(|job| job());
    Builder::new().name("read".to_owned()).spawn(work).ok().map(|thread| (jobs, thread))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(text: &str) -> DocPath {
        DocPath::new(text).unwrap()
    }

    #[test]
    fn what_hangs_holds_up_no_other_and_is_not_begun_again_until_it_ends() {
        let mut patience = Patience::new(Duration::from_millis(20));
        let (release, hold) = channel::<()>();
        assert_eq!(patience.run(&path("stuck.md"), move || hold.recv()), Outcome::Hangs);
        patience.deadline = Duration::from_secs(60);
        assert_eq!(patience.run(&path("a.md"), || 1), Outcome::Done(1));
        assert_eq!(patience.run(&path("stuck.md"), || Ok::<_, ()>(())), Outcome::Hangs);
        drop(release);
        while patience.run(&path("stuck.md"), || 2) != Outcome::Done(2) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn where_nothing_answers_no_more_threads_are_left_behind() {
        let mut patience = Patience::new(Duration::from_millis(1));
        let (release, hold) = channel::<()>();
        let hold = std::sync::Arc::new(std::sync::Mutex::new(hold));
        for n in 0..HANGING + 5 {
            let hold = hold.clone();
            let work = move || drop(hold.lock().map(|hold| hold.recv()));
            assert_eq!(patience.run(&path(&n.to_string()), work), Outcome::Hangs);
        }
        assert_eq!(patience.hanging.len(), HANGING);
        drop(release);
    }

    #[test]
    fn a_panic_fails_one_piece_of_work_and_no_other() {
        let mut patience = Patience::new(Duration::from_secs(60));
        assert_eq!(patience.run(&path("a.md"), || panic!("on purpose")), Outcome::<()>::Failed);
        assert_eq!(patience.run(&path("a.md"), || 1), Outcome::Done(1));
    }
}
