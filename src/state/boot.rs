//! A clock that nobody sets: how long the system has been up, sleep included. By it the ledger tells a clock that was set
//! from time that passed.

/// A moment of one boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Which boot; the clock below begins anew with each.
    pub id: String,
    /// Since then, in milliseconds.
    pub ms: i64,
}

/// This moment; `None` where the system has no such clock, or doesn't say which boot it is.
#[cfg(target_os = "linux")]
pub fn now() -> Option<Boot> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let ms = up.tv_sec.saturating_mul(1_000).saturating_add(up.tv_nsec / 1_000_000);
    Some(Boot { id: id.trim().to_owned(), ms })
}

/// This moment; `None`: no clock is used here for it.
#[cfg(not(target_os = "linux"))]
pub fn now() -> Option<Boot> {
    None
}
