//! Servers in processes of their own, each pinned to the processor that the load keeps away from.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::{Outcome, bare};

/// The processors of this machine, shared out.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    servers: CpuSet,
    load: CpuSet,
}

impl Cores {
    /// Takes the first two processors that may be used, and moves this thread, which makes the
    /// load, to the second. All threads that it starts stay there with it.
    pub(crate) fn share_out() -> Outcome<Self> {
        let all = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu));
        let (Some(first), Some(second)) = (usable.next(), usable.next()) else {
            return Err("servers and load need a processor each, and there is but one".into());
        };
        let cores = Self { servers: only(first), load: only(second) };
        sched_setaffinity(None, &cores.load)?;
        Ok(cores)
    }

    /// Starts a process that stays on the servers' processor.
    fn spawn(&self, command: &mut Command) -> Outcome<Child> {
        // A child keeps to the processors of the thread that starts it.
        sched_setaffinity(None, &self.servers)?;
        let child = command.spawn();
        sched_setaffinity(None, &self.load)?;
        Ok(child?)
    }
}

fn only(cpu: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(cpu);
    set
}

/// Thousands of connections take thousands of descriptors.
pub(crate) fn raise_descriptor_limit() -> Outcome {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// ticketd, as it is shipped.
    pub(crate) fn ticketd(cores: &Cores) -> Outcome<Self> {
        Self::ticketd_with(cores, &[])
    }

    /// The same with more options.
    pub(crate) fn ticketd_with(cores: &Cores, options: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ticketd"));
        command.args(["--listen", "127.0.0.1:0", "--loglevel", "1"]);
        Self::start(cores, command.args(options))
    }

    /// What ticketd is compared to: see [`bare`].
    pub(crate) fn bare(cores: &Cores) -> Outcome<Self> {
        Self::start(cores, Command::new(std::env::current_exe()?).arg(bare::ARGUMENT))
    }

    /// Starts a server; the first line that it prints ends in its URL.
    fn start(cores: &Cores, command: &mut Command) -> Outcome<Self> {
        let mut child = cores.spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim_end().rsplit("://").next().and_then(|at| at.parse().ok());
        let Some(address) = address else {
            return Err(format!("a server did not say where it is but {line:?}").into());
        };
        Ok(Self { child, address })
    }

    /// Processor time that it has used so far.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is a name in parentheses; user and system time are fields 14 and 15.
        let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
        let mut ticks = 0;
        for field in fields.skip(11).take(2) {
            ticks += field.parse::<u64>()?;
        }
        Ok(Duration::from_secs(1) * u32::try_from(ticks)? / u32::try_from(ticks_per_second())?)
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident(&self) -> Outcome<f64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let pages: u32 = statm.split(' ').nth(1).unwrap_or("").parse()?;
        Ok(f64::from(pages) * f64::from(u32::try_from(rustix::param::page_size())?))
    }
}

fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
