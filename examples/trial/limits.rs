//! Limits: many changed documents under the limits of the real hub, on both sides. The hub counts for itself and would
//! answer 429.

use serde_json::Value;

use crate::Outcome;
use crate::hub::{Budget, Place, busiest, by_method, by_status};
use crate::numbered;
use crate::report::Report;

/// A key of its own for the part that counts, so that hubsync's ledger begins at nothing.
const KEY: &str = "exec_live_sandboxsandboxsandboxsandboxsandbox00002";
const PER_MINUTE: u32 = 60;
const PER_DAY: u32 = 1000;

/// Carries the trial out.
pub fn run(documents: usize) -> Outcome<Report> {
    let place = Place::new(Budget::Endless)?;
    numbered::add_pages(&place, documents);
    numbered::write_all(&place, documents, 1)?;
    let met = place.sync()?;

    place.configure(Budget::Real)?;
    place.rewrite(|state| {
        state["limits"] = serde_json::to_value(hubsync::sandbox::State::default())
            .map_or(Value::Null, |fresh| fresh["limits"].clone());
    })?;
    {
        let mut hub = place.hub();
        let settings = hub.model.settings_mut();
        KEY.clone_into(&mut settings.key);
        (settings.per_minute, settings.per_day) = (PER_MINUTE, PER_DAY);
    }
    numbered::write_all(&place, documents, 2)?;
    let mark = place.mark();
    let synced = place.sync()?;
    let requests = place.since(mark);

    let mut report =
        Report::new(format!("limits: {documents} changed documents, {PER_MINUTE} requests a minute, {PER_DAY} a day"));
    report.figure("it took", format!("{:.1} min", synced.took.as_secs_f64() / 60.0));
    report.figure("requests", format!("{} ({})", requests.len(), by_method(&requests)));
    report.figure("most in any 60 s", busiest(&requests));
    report.figure("answers", by_status(&requests));
    report.equal("both syncs end with 0", &(met.code, synced.code), &(0, 0));
    report.equal("no 429", &requests.iter().filter(|entry| entry.status == 429).count(), &0);
    report.promise("every page shows its document", numbered::lost(&place, documents, 2));
    report.promise("no text is published twice", numbered::repeated(&place));
    place.close()?;
    Ok(report)
}
