//! Tells systemd how the daemon stands, where it was started by it (`$NOTIFY_SOCKET`): ready, reloading, stopping, and a line for
//! `systemctl status`. Anywhere else it does nothing.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

/// The line for people is told at most so often.
const BETWEEN: Duration = Duration::from_secs(3);

/// What systemd was told.
#[derive(Debug)]
pub struct Service {
    listener: Listener,
    told: String,
    /// When the line may be told again.
    next: Instant,
    news: News,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listener {
    Systemd,
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    Some,
}

impl Service {
    /// Looks whether somebody listens.
    pub fn of_process() -> Self {
        let listener = if std::env::var_os("NOTIFY_SOCKET").is_some() { Listener::Systemd } else { Listener::Nobody };
        Self { listener, told: String::new(), next: Instant::now(), news: News::None }
    }

    /// The first scan has been planned, or a reload is over.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The configuration is read again; [`Service::ready`] follows.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    /// We are about to end.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// Something happened: the line may be another.
    pub fn note(&mut self) {
        if self.listener == Listener::Systemd {
            self.news = News::Some;
        }
    }

    /// When the line is to be told; `None` while nothing happened.
    pub fn wakeup(&self) -> Option<Instant> {
        (self.news == News::Some).then_some(self.next)
    }

    /// Tells the line, where it is another and not too soon.
    pub fn status(&mut self, line: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.news == News::None || now < self.next {
            return;
        }
        self.news = News::None;
        self.next = now + BETWEEN;
        let line = line();
        if line != self.told {
            self.tell(&[NotifyState::Status(&line)]);
            self.told = line;
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if self.listener == Listener::Systemd
            && let Err(error) = sd_notify::notify(states)
        {
            tracing::debug!(%error, "systemd could not be told");
        }
    }
}
