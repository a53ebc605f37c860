//! The process, as Linux tells it, by the names that are usual.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::figures::Families;

/// Tells of the process; nothing of what the system does not tell.
pub(super) fn tell(figures: &mut Families) {
    if let Ok(fds) = fs::read_dir("/proc/self/fd") {
        let open = u64::try_from(fds.count()).unwrap_or(u64::MAX);
        figures.gauge("process_open_fds", "Number of open file descriptors", open);
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        figures.gauge("process_max_fds", "Maximum number of open file descriptors", most);
    }
    let Some(Stat { cpu_ticks, threads, started_ticks, virtual_bytes, resident_pages }) = stat()
    else {
        return;
    };
    let (tick, page) = (rustix::param::clock_ticks_per_second(), rustix::param::page_size());
    let in_seconds = |ticks: u64| std::time::Duration::from_millis(ticks * 1000 / tick);
    let cpu = in_seconds(cpu_ticks).as_secs_f64();
    figures.seconds("process_cpu_seconds", "Total user and system CPU time spent in seconds", cpu);
    figures.gauge("process_threads", "Number of OS threads in the process", threads);
    figures.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes", virtual_bytes);
    let resident = resident_pages.saturating_mul(u64::try_from(page).unwrap_or_default());
    figures.gauge("process_resident_memory_bytes", "Resident memory size in bytes", resident);
    if let Some(booted_s) = booted_s() {
        let ms = booted_s.saturating_mul(1000) + started_ticks * 1000 / tick;
        let help = "Start time of the process since unix epoch in seconds";
        figures.moment("process_start_time_seconds", help, ms);
    }
}

struct Stat {
    cpu_ticks: u64,
    threads: u64,
    started_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

/// The fields behind the name of the program, which may hold anything.
fn stat() -> Option<Stat> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        cpu_ticks: field(14)? + field(15)?,
        threads: field(20)?,
        started_ticks: field(22)?,
        virtual_bytes: field(23)?,
        resident_pages: field(24)?,
    })
}

/// When the machine was started, in s since 1970.
fn booted_s() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}
