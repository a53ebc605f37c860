//! What the benchmarks share: the clock, the table, and (in the files beside) servers under load.
//!
//! A benchmark never fails by being slow: it prints what it measured and, beside it, what was aimed
//! at. Servers run pinned to one processor, the load comes from another, and what is compared takes
//! turns within one run, so that the figures that matter are ratios.
#![expect(dead_code, reason = "each benchmark uses its part of it")]

pub(crate) mod bare;
pub(crate) mod frames;
pub(crate) mod http;
pub(crate) mod servers;
pub(crate) mod tls;

use std::error::Error;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// What may go wrong: something answered what it should not, or the system refused.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "a benchmark is about time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time since `start`.
pub(crate) fn since(start: Instant) -> Duration {
    now().duration_since(start)
}

/// Whether a part is to be run: arguments choose parts by a piece of their name.
pub(crate) fn wanted(part: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| part.contains(&word))
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// It is told for comparison.
    None,
}

/// Opens a group of figures.
pub(crate) fn heading(text: &str) {
    line(&format!("\n{text}"));
}

/// Prints a figure beside its target.
pub(crate) fn figure(what: &str, value: f64, unit: &str, target: Target) {
    let value_text = format!("{} {unit}", short(value));
    let beside = match target {
        Target::AtLeast(least) => beside("≥", least, unit, value >= least),
        Target::AtMost(most) => beside("≤", most, unit, value <= most),
        Target::None => String::new(),
    };
    line(format!("  {what:<62} {value_text:>12}  {beside}").trim_end());
}

fn beside(relation: &str, bound: f64, unit: &str, met: bool) -> String {
    let missed = if met { "" } else { "  <- missed" };
    format!("(target {relation} {}){missed}", format!("{} {unit}", short(bound)).trim_end())
}

/// A number of three digits or so.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e4 => format!("{:.1} k", v / 1e3),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

fn line(text: &str) {
    // Nobody may be reading: that is no reason to stop measuring.
    let _ = writeln!(io::stdout(), "{text}");
}

/// The value in the middle; NaN of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 1, 2)
}

/// The value below which `part` of `whole` lie; NaN of none.
pub(crate) fn quantile(values: &[f64], part: usize, whole: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * part / whole).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The largest value.
pub(crate) fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}

/// Times in ms.
pub(crate) fn in_ms(times: &[Duration]) -> Vec<f64> {
    times.iter().map(|time| time.as_secs_f64() * 1e3).collect()
}

/// The quotients of two series that took turns.
pub(crate) fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

/// Does `act` every `period`, `count` times; the times that it takes. It is given the moment from
/// which its time counts: a stall makes those behind it late, and is felt by all of them.
pub(crate) fn paced(
    period: Duration,
    count: u32,
    mut act: impl FnMut(Instant) -> Outcome<Duration>,
) -> Outcome<Vec<Duration>> {
    let start = now();
    let mut times = Vec::new();
    for number in 1..=count {
        let moment = start + period * number;
        std::thread::sleep(moment.saturating_duration_since(now()));
        // How late a sleep ends is not the server's doing.
        times.push(act(if since(moment) < period { now() } else { moment })?);
    }
    Ok(times)
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % end
    }

    /// Puts things into another order.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for end in (2..=things.len()).rev() {
            things.swap(end - 1, self.below(end));
        }
    }
}
