//! The state of a sandbox as one JSON file: private (0600), written beside and renamed, so that it is always whole.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the state is a file")]

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::model::State;

/// The form of the file. A file of another form is refused.
const SCHEMA: u32 = 1;

#[derive(Deserialize)]
struct Form {
    schema: u32,
}

#[derive(Deserialize)]
struct Saved {
    state: State,
}

#[derive(Serialize)]
struct Saving<'a> {
    schema: u32,
    state: &'a State,
}

/// Why a state could not be loaded or saved.
#[derive(Debug, Error)]
pub enum PersistenceError {
    /// The file system said no.
    #[error("cannot {verb} the sandbox's state {}: {source}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// It is no state of a sandbox.
    #[error("{} is no state of a sandbox: {source}. Name another file, or remove this one to begin anew", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It was written by another version.
    #[error("{} was written by another version (form {found}, this one reads {SCHEMA})", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
    },
}

/// Loads a state; none if there is no such file yet.
pub fn load(path: &Path) -> Result<Option<State>, PersistenceError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(PersistenceError::File { verb: "read", path: path.to_owned(), source }),
    };
    let wrong = |source| PersistenceError::Content { path: path.to_owned(), source };
    let Form { schema } = serde_json::from_slice(&bytes).map_err(wrong)?;
    if schema != SCHEMA {
        return Err(PersistenceError::Schema { path: path.to_owned(), found: schema });
    }
    serde_json::from_slice::<Saved>(&bytes).map(|saved| Some(saved.state)).map_err(wrong)
}

/// The bytes of the file.
#[must_use]
pub fn encode(state: &State) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "maps with keys of text, and no value whose writing can fail")]
    serde_json::to_vec_pretty(&Saving { schema: SCHEMA, state }).expect("a state is JSON")
}

/// Puts the bytes of [`encode`] in the place of the file.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), PersistenceError> {
    let written = || -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut beside = tempfile::Builder::new().prefix(".sandbox-").tempfile_in(folder)?; // 0600 from the start
        beside.write_all(bytes)?;
        beside.as_file().sync_all()?;
        beside.persist(path)?;
        Ok(())
    };
    written().map_err(|source| PersistenceError::File { verb: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sandbox::model::{Act, Model, Request, Settings, Time};
    use crate::sandbox::sample;

    fn lived_in() -> Model {
        let mut model = Model::new(Settings::default());
        sample::fill(&mut model, Time(1_700_000_000_123_456), 8);
        let id = model.pages().next().unwrap().id.clone();
        model
            .colleague(Time(1_700_000_001_000_000), &id, Act::SaveDraft { title: "t\u{0}".into(), content: "ü".into() })
            .unwrap();
        let authorization = Some(format!("Bearer {}", model.settings().key));
        let request =
            Request { method: "GET".into(), target: "/rest/v1/workspace".into(), authorization, ..Request::default() };
        assert_eq!(model.handle(Time(1_700_000_002_000_001), &request).status, 200);
        model
    }

    #[test]
    fn what_is_saved_is_loaded_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.json");
        assert_eq!(load(&path).unwrap(), None);
        let model = lived_in();
        save(&path, &encode(model.state())).unwrap();
        assert_eq!(load(&path).unwrap().as_ref(), Some(model.state()));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn it_goes_on_as_if_it_had_never_stopped() {
        let mut before = lived_in();
        let state = serde_json::from_slice::<Saved>(&encode(before.state())).unwrap().state;
        let mut after = Model::with_state(Settings::default(), state);
        for model in [&mut before, &mut after] {
            model.add_folder(Time(0), "later", None);
        }
        assert_eq!(before.state(), after.state());
    }

    #[test]
    fn what_is_no_state_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.json");
        for (content, said) in [("", "no state"), ("{}", "no state"), (r#"{"schema": 2, "state": {}}"#, "form 2")] {
            std::fs::write(&path, content).unwrap();
            assert!(load(&path).unwrap_err().to_string().contains(said), "{content}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }
}
