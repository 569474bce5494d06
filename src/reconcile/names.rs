//! Names to ids: an id, then a slug, then a name; a bare folder name means the top level, else the only one anywhere
//! (contract.md, Front matter). Pure; the tables are read by `engine/` and kept by `state/`.

use serde::{Deserialize, Serialize};

/// A folder of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The id of the folder it lies in; `None` at the top level.
    pub parent: Option<String>,
}

/// A skill of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
}

/// A source of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The URL it was taken from.
    pub url: Option<String>,
}

/// The tables of names as last read; `None` where a table was never read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// All folders.
    pub folders: Option<Vec<Folder>>,
    /// All skills.
    pub skills: Option<Vec<Skill>>,
    /// All sources.
    pub sources: Option<Vec<Source>>,
    /// When they were read.
    pub read_at: Option<crate::page::Wall>,
}
