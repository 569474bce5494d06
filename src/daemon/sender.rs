//! Sends one request: for a write it reads the document again, right before, and verifies that it is what was decided on. It
//! holds the key, and reads it anew from its source when the hub refuses it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::config::credential::{ApiKey, KeySource as Source};
use crate::daemon::clock::Clock;
use crate::daemon::id_line;
use crate::engine::request::{Answer, AnswerBody, CreateRequest, KeySource, Request};
use crate::hub::client::Client;
use crate::local::links::SharedMap;
use crate::local::read::{self, Planned};
use crate::page::{BodyPrint, Digest, DocPath};
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

/// What a file must be fit for beside being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Any,
    /// A page's id is to be written into it.
    ForAnId,
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

    /// The root; may be a link.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Sends one request and reads its answer.
    pub async fn send(&self, request: &Request) -> Answer {
        let body = match request {
            Request::Patch(patch) => match &patch.patch.text {
                Some(text) => match self.body(&patch.path, (patch.source, text.body), Fit::Any).await {
                    Ok(body) => Some(body),
                    Err(why) => return self.unsent(why),
                },
                None => None,
            },
            Request::Create(create) => {
                let CreateRequest { path, post } = &**create;
                match self.body(path, (post.source, post.body), Fit::ForAnId).await {
                    Ok(body) => Some(body),
                    Err(why) => return self.unsent(why),
                }
            }
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

    async fn body(&self, path: &DocPath, (source, body): (Digest, BodyPrint), fit: Fit) -> Result<String, AnswerBody> {
        let planned = Planned { source, body };
        let (root, path, rules, links) = (self.root.clone(), path.clone(), self.means().rules, self.links.clone());
        let read = move || {
            if fit == Fit::ForAnId {
                let bytes = read::contents(&root, &path).map_err(|_| AnswerBody::Stale)?;
                id_line::fits(&root, &path, &bytes).map_err(|why| AnswerBody::Unwritable { why })?;
            }
            read::body_of(&root, &path, &rules, &links, planned).map_err(|_| AnswerBody::Stale)
        };
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(AnswerBody::Stale))
    }

    fn unsent(&self, body: AnswerBody) -> Answer {
        let now = self.clock.now();
        Answer { sent: now, ended: now, date: None, body }
    }
}
