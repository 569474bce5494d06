//! `hubsync pull`: pages into files.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::duration;

/// Arguments of `hubsync pull`.
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "\
hubsync pull [OPTIONS] <PAGE_ID>...
       hubsync pull [OPTIONS] --folder <NAME>
       hubsync pull [OPTIONS] --all",
    after_help = "\
A page without a document becomes a new file, named after its title, in a folder named after the page's. A document is changed
only if it has no change that is not published yet. What was pulled counts as met: the next sync sends nothing for it. Each
page costs 1 request, the list 1 for every 100 pages; what is in step costs no more than that.

Examples:
  hubsync pull 5f0c1a2e-0b7d-4f0e-9f57-0c2f5a1f6e11
  hubsync pull --folder Sales/Objections --into sales
  hubsync pull --all                     also to go on where the budget ended before"
)]
pub struct Pull {
    /// These pages
    #[arg(value_name = "PAGE_ID", required_unless_present_any = ["folder", "all"])]
    pub pages: Vec<String>,

    /// All pages of this folder of the hub and of those in it: its name, slash path or id
    #[arg(long, value_name = "NAME", conflicts_with_all = ["pages", "all"])]
    pub folder: Option<String>,

    /// All pages
    #[arg(long, conflicts_with = "pages")]
    pub all: bool,

    /// Put new files into this folder of the root
    #[arg(long, value_name = "PATH")]
    pub into: Option<PathBuf>,

    /// Say what would be written; pages are not asked for
    #[arg(long)]
    pub dry_run: bool,

    /// How long to wait for the minute's budget
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    pub max_wait: Duration,

    /// Report as JSON
    #[arg(long)]
    pub json: bool,
}
