//! Sends one request: for a write it reads the document again, right before, and verifies that it is what was decided on. It
//! holds the key, and reads it anew from its source when the hub refuses it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::config::credential::{ApiKey, KeySource as Source};
use crate::daemon::clock::Clock;
use crate::engine::request::{Answer, AnswerBody, KeySource, PatchRequest, Request};
use crate::hub::client::Client;
use crate::local::read;
use crate::policy::Rules;

/// What is needed to send.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    clock: Clock,
    root: PathBuf,
    rules: Rules,
    source: Source,
    key: Mutex<ApiKey>,
}

impl Sender {
    /// Sends with `key`, which was read from `source`.
    pub fn new(client: Client, clock: Clock, root: PathBuf, rules: Rules, source: Source, key: ApiKey) -> Self {
        Self { client, clock, root, rules, source, key: Mutex::new(key) }
    }

    /// Sends one request and reads its answer.
    pub async fn send(&self, request: &Request) -> Answer {
        let body = match request {
            Request::Patch(patch) if patch.patch.text.is_some() => match self.body(patch).await {
                Some(body) => Some(body),
                None => return self.unsent(AnswerBody::Stale),
            },
            _ => None,
        };
        let key = self.key();
        let clock = || self.clock.now();
        let mut answer = self.client.send(key.expose(), request, body.as_deref(), &clock).await;
        if matches!(answer.body, AnswerBody::Unauthorized(_)) {
            answer.body = AnswerBody::Unauthorized(self.renew(&key).await);
        }
        answer
    }

    /// Reads the key again. `Renewed` where another one than the refused is found, which is used from now on.
    pub async fn renew(&self, refused: &ApiKey) -> KeySource {
        if self.key().expose() != refused.expose() {
            return KeySource::Renewed;
        }
        let source = self.source.clone();
        match tokio::task::spawn_blocking(move || source.read()).await {
            Ok(Ok(key)) if key.expose() != refused.expose() => {
                *self.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
                KeySource::Renewed
            }
            Ok(Ok(_)) => KeySource::Same,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the API key can't be read again");
                KeySource::Same
            }
            Err(error) => {
                tracing::error!(%error, "the API key could not be read again");
                KeySource::Same
            }
        }
    }

    /// The key that is used now.
    pub fn key(&self) -> ApiKey {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn body(&self, patch: &PatchRequest) -> Option<String> {
        let (root, path, rules, source) = (self.root.clone(), patch.path.clone(), self.rules.clone(), patch.source);
        let read = tokio::task::spawn_blocking(move || read::body_of(&root, &path, &rules, source)).await;
        match read {
            Ok(Ok(body)) => Some(body),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    fn unsent(&self, body: AnswerBody) -> Answer {
        let now = self.clock.now();
        Answer { sent: now, ended: now, date: None, body }
    }
}
