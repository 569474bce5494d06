//! The commands that look and tell: they send nothing to the hub that changes anything.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::config::duration;

/// Commands that read the hub or the state.
#[derive(Clone, Debug, Subcommand)]
pub enum Reads {
    /// Show documents against their pages, line by line and word by word; changes nothing
    Diff(Diff),
    /// Say what was published, replaced, archived, and where the backup lies
    Log(Log),
    /// List the hub's pages, and which document is whose
    Pages(Pages),
    /// Write page_id into documents whose title names exactly one page
    Link(Link),
}

/// Arguments of `hubsync diff`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Lines that begin with - are the hub's, with + the document's. It asks 1 request a page, and 1 more for who edited one that is
in conflict or drifted. Without PATH, and below a folder, pages in step are not asked.

Examples:
  hubsync diff                       everything that is not in step
  hubsync diff sales/pricing.md      this page, however it stands")]
pub struct Diff {
    /// Only these documents or folders
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// How long to wait for the minute's budget
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    pub max_wait: Duration,

    /// Report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `hubsync pages`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
It asks 1 request for every 100 pages. Folders are named as far as their names are known by now, else by their ids.")]
pub struct Pages {
    /// How long to wait for the minute's budget
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    pub max_wait: Duration,

    /// Report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `hubsync log`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hubsync log                        the last 50, the newest at the end
  hubsync log sales/pricing.md -n 5  the last 5 of one document")]
pub struct Log {
    /// Only this document, or what lies in this folder
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,

    /// How many, counted from the newest
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub number: usize,

    /// Report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `hubsync link`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
It asks 1 request for every 100 pages, and sends no write. Only documents with front matter and without page_id are touched; each
gets one line, all else in it stays as it is. A title that names several pages, or that several documents have, is listed, never
guessed: exit 1.")]
pub struct Link {
    /// Find each document's page by its title
    #[arg(long, required = true)]
    pub by_title: bool,

    /// Only these documents or folders
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Say what would be written, write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// How long to wait for the minute's budget
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    pub max_wait: Duration,

    /// Report as JSON
    #[arg(long)]
    pub json: bool,
}
