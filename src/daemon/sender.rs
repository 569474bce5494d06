//! Sends one request: for a write it reads the document again, right before, and verifies that it is what was decided on. It
//! holds the key, and reads it anew from its source when the hub refuses it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::config::credential::{ApiKey, KeySource as Source};
use crate::daemon::clock::Clock;
use crate::engine::request::{Answer, AnswerBody, KeySource, PatchRequest, Request};
use crate::hub::client::Client;
use crate::local::links::SharedMap;
use crate::local::read::{self, Planned};
use crate::page::PatchText;
use crate::policy::Rules;
use crate::state::usage::HubKey;

/// What is needed to send.
#[derive(Debug)]
pub struct Sender {
    clock: Clock,
    root: PathBuf,
    links: SharedMap,
    url: String,
    means: Mutex<Means>,
}

/// What a changed configuration may change.
#[derive(Clone, Debug)]
pub struct Means {
    /// The connection.
    pub client: Client,
    /// How documents become bodies.
    pub rules: Rules,
    /// Where the key is read from.
    pub source: Source,
    /// The key, as it was read.
    pub key: ApiKey,
}

impl Sender {
    /// Sends documents of `root`, whose links are looked up in `links`, to the hub at `url`.
    pub fn new(clock: Clock, root: PathBuf, links: SharedMap, url: String, means: Means) -> Self {
        Self { clock, root, links, url, means: Mutex::new(means) }
    }

    /// Sends by these means from now on.
    pub fn renew_means(&self, means: Means) {
        *self.means.lock().unwrap_or_else(PoisonError::into_inner) = means;
    }

    /// By what it sends now.
    pub fn means(&self) -> Means {
        self.means.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whose budget is spent with the key that is used now.
    pub fn hub_key(&self) -> HubKey {
        HubKey::of(&self.url, self.key().expose())
    }

    /// Sends one request and reads its answer.
    pub async fn send(&self, request: &Request) -> Answer {
        let body = match request {
            Request::Patch(patch) => match &patch.patch.text {
                Some(text) => match self.body(patch, text).await {
                    Some(body) => Some(body),
                    None => return self.unsent(AnswerBody::Stale),
                },
                None => None,
            },
            _ => None,
        };
        let Means { client, key, .. } = self.means();
        let clock = || self.clock.now();
        let mut answer = client.send(key.expose(), request, body.as_deref(), &clock).await;
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
        let source = self.means().source;
        match tokio::task::spawn_blocking(move || source.read()).await {
            Ok(Ok(key)) if key.expose() != refused.expose() => {
                self.means.lock().unwrap_or_else(PoisonError::into_inner).key = key;
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
        self.means().key
    }

    async fn body(&self, patch: &PatchRequest, text: &PatchText) -> Option<String> {
        let planned = Planned { source: patch.source, body: text.body };
        let (root, path, rules, links) =
            (self.root.clone(), patch.path.clone(), self.means().rules, self.links.clone());
        let read = tokio::task::spawn_blocking(move || read::body_of(&root, &path, &rules, &links, planned)).await;
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
