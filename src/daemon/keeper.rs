//! Owns what is stored: the state, its backups and the ledger of requests, on a thread of its own, because each of its calls
//! waits for a disk. Orders are carried out in the order in which they come; that is what "stored before sent" rests on.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::daemon::clock::Clock;
use crate::daemon::driver::Event;
use crate::engine::Id;
use crate::engine::change::{Change, PersonPause};
use crate::pace::quota::{Lane, Limits};
use crate::page::{DocPath, Wall};
use crate::state::backups::Backups;
use crate::state::store::{Daemon, FileEntry, Store, Told};
use crate::state::usage::{HubKey, Ledger, Slot};

/// What is kept, open.
#[derive(Debug)]
pub struct Kept {
    /// The state of the root.
    pub store: Store,
    /// Where replaced texts go.
    pub backups: Backups,
    /// The requests spent.
    pub ledger: Ledger,
}

/// What came of a request, for its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spent {
    /// An answer came, or its connection ended.
    Answered,
    /// Nothing was sent.
    NeverSent,
    /// 429: nothing is to be sent before this, by any process.
    Paused(Wall),
}

enum Order {
    Reserve(Id, Lane),
    Settle(Id, Spent),
    Store(Id, Box<Change>),
    Files(Vec<FileEntry>, Vec<DocPath>),
    Daemon(Option<Daemon>),
    Pause(Option<PersonPause>, oneshot::Sender<Result<(), String>>),
    Hub(HubKey),
    Limits(Limits, i64),
    Told(Told),
}

/// A handle to the thread. Dropped, the thread ends when it has carried out what it was given.
#[derive(Debug)]
pub struct Keeper {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread; its answers go to `events`.
    pub fn start(kept: Kept, clock: Clock, events: UnboundedSender<Event>) -> std::io::Result<Self> {
        let (orders, inbox) = channel();
        let work = move || Work { kept, clock, events, slots: HashMap::new() }.carry_out(&inbox);
        let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(work)?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Takes a slot; answered by [`Event::Reserved`] or [`Event::NoLedger`].
    pub fn reserve(&self, id: Id, lane: Lane) {
        self.order(Order::Reserve(id, lane));
    }

    /// Gives a slot back.
    pub fn settle(&self, id: Id, spent: Spent) {
        self.order(Order::Settle(id, spent));
    }

    /// Stores a change; answered by [`Event::Stored`].
    pub fn store(&self, id: Id, change: Box<Change>) {
        self.order(Order::Store(id, change));
    }

    /// Keeps what was seen of files, so that they need not be read again. Not answered: it can be had again.
    pub fn files(&self, put: Vec<FileEntry>, gone: Vec<DocPath>) {
        self.order(Order::Files(put, gone));
    }

    /// Says which daemon runs.
    pub fn daemon(&self, daemon: Option<Daemon>) {
        self.order(Order::Daemon(daemon));
    }

    /// Keeps a person's pause; answered when it is on the disk, or why it isn't.
    pub fn pause(&self, pause: Option<PersonPause>) -> oneshot::Receiver<Result<(), String>> {
        let (tell, told) = oneshot::channel();
        self.order(Order::Pause(pause, tell));
        told
    }

    /// Spends another budget from now on: the key is another.
    pub fn hub(&self, hub: HubKey) {
        self.order(Order::Hub(hub));
    }

    /// Other limits from now on, and how long a request may be under way, in milliseconds.
    pub fn limits(&self, limits: Limits, timeout: i64) {
        self.order(Order::Limits(limits, timeout));
    }

    /// Remembers which problems a person was told of.
    pub fn told(&self, told: Told) {
        self.order(Order::Told(told));
    }

    /// Waits until everything that was ordered is done.
    pub fn finish(mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps the state has failed");
        }
    }

    fn order(&self, order: Order) {
        // A thread that is gone has failed, and said so; nothing is sent any more, because nothing is stored.
        if let Some(orders) = &self.orders
            && orders.send(order).is_err()
        {
            tracing::error!("nothing can be stored any more; restart hubsync");
        }
    }
}

struct Work {
    kept: Kept,
    clock: Clock,
    events: UnboundedSender<Event>,
    slots: HashMap<Id, Slot>,
}

impl Work {
    fn carry_out(mut self, inbox: &Receiver<Order>) {
        if let Err(error) = self.kept.backups.prune(self.clock.now().wall) {
            tracing::warn!(%error, "old backups could not be removed");
        }
        while let Ok(order) = inbox.recv() {
            match order {
                Order::Reserve(id, lane) => {
                    let event = self.reserve(id, lane);
                    self.tell(event);
                }
                Order::Settle(id, spent) => self.settle(id, spent),
                Order::Store(id, change) => {
                    let result = self.kept.store.commit(&change, &self.kept.backups);
                    let result = result.map(|()| change.log).map_err(|error| error.to_string());
                    self.tell(Event::Stored(id, result));
                }
                Order::Files(put, gone) => {
                    if let Err(error) = self.kept.store.put_files(&put, &gone) {
                        tracing::warn!(%error, "what was seen of files could not be stored; they are read again next time");
                    }
                }
                Order::Told(told) => {
                    if let Err(error) = self.kept.store.set_told(&told) {
                        tracing::warn!(%error, "which problems were told can't be stored; after a restart they are told again");
                    }
                }
                Order::Daemon(daemon) => {
                    if let Err(error) = self.kept.store.set_daemon(daemon) {
                        tracing::warn!(%error, "`status` will not see how this daemon stands");
                    }
                }
                Order::Pause(pause, tell) => {
                    let kept = self.kept.store.set_pause(pause).map_err(|error| error.to_string());
                    // Whoever asked may have gone; it holds all the same.
                    drop(tell.send(kept));
                }
                Order::Hub(hub) => self.hub(hub),
                Order::Limits(limits, timeout) => {
                    self.kept.ledger.set_limits(limits);
                    self.kept.ledger.set_timeout(timeout);
                }
            }
        }
    }

    fn reserve(&mut self, id: Id, lane: Lane) -> Event {
        let now = self.clock.now().wall;
        match self.kept.ledger.take(now, lane) {
            Ok(Ok(slot)) => {
                self.slots.insert(id, slot);
                Event::Reserved(id, Ok(()))
            }
            Ok(Err(refused)) => Event::Reserved(id, Err(refused)),
            Err(error) => Event::NoLedger(id, error.to_string()),
        }
    }

    fn settle(&mut self, id: Id, spent: Spent) {
        let Some(slot) = self.slots.remove(&id) else { return };
        let now = self.clock.now().wall;
        let ledger = &mut self.kept.ledger;
        let result = match spent {
            Spent::NeverSent => ledger.never_sent(slot, now),
            Spent::Answered => ledger.answered(slot, now),
            Spent::Paused(until) => ledger
                .answered(slot, now)
                .and_then(|()| ledger.pause(now, until, "the hub answered 429: its limits are used up")),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "a request could not be settled in the ledger; it counts as unanswered");
        }
    }

    fn hub(&mut self, hub: HubKey) {
        let now = self.clock.now().wall;
        let ledger = self.kept.ledger.set_key(hub, now);
        if let Err(error) = ledger.and_then(|()| self.kept.store.set_budget_of(hub.0)) {
            tracing::warn!(%error, "the budget of the new key can't be read yet");
        }
    }

    /// Nobody listens any more when the program ends.
    fn tell(&self, event: Event) {
        drop(self.events.send(event));
    }
}
