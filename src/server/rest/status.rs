//! `GET /status`: how the server is.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use crate::driver::{Durability, PersistenceStatus};
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;
use crate::wire::json;
use crate::wire::rest::{PersistenceShape, StatusShape, go_duration};

use super::outcome::Outcome;

pub(crate) async fn show(app: Arc<App>, _: Call) -> Outcome {
    let status = app.driver.status();
    let uptime = app.started.ago();
    let started = humantime::format_rfc3339_nanos(app.started.wall).to_string();
    let page = StatusShape {
        version: env!("CARGO_PKG_VERSION"),
        uptime: go_duration(u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX)),
        started: humantime::format_rfc3339_seconds(app.started.wall).to_string(),
        uptime_ns: u64::try_from(uptime.as_nanos()).unwrap_or(u64::MAX),
        started_at: started,
        num_cpus: std::thread::available_parallelism().map_or(1, NonZero::get),
        sessions: 0,
        sockets: app.sockets.load(Ordering::Relaxed),
        resources: 0,
        tickets: 0,
        locks: 0,
        claims: 0,
        delayed: 0,
        dead: 0,
        waits: 0,
        watches: 0,
        operations: status.operations,
        draining: status.is_draining,
        resident_bytes: resident_bytes().unwrap_or(0),
        persistence: status.persistence.map(persistence).unwrap_or_default(),
    };
    Ok(response::json(json(&page.with(status.counts))))
}

fn persistence(status: PersistenceStatus) -> PersistenceShape {
    let written = |ms| {
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(ms);
        humantime::format_rfc3339_millis(at).to_string()
    };
    PersistenceShape {
        durability: match status.durability {
            Durability::Always => "always",
            Durability::Interval => "interval",
            Durability::None => "none",
        },
        journal_file: Some(status.file),
        journal_bytes: status.bytes,
        image_bytes: status.snapshot_bytes,
        journal_commands: status.commands,
        last_sync: status.synced_ms.map(written),
        last_image: status.snapshot_ms.map(written),
        disk_full: status.is_full,
    }
}

/// Resident memory of this process, as Linux tells it.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}
