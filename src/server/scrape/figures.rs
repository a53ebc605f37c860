//! Families with names, in a form that Prometheus reads.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use crate::machine::Durations;
use crate::meters::{Histogram, Measured};

/// A label and its value.
pub(super) type Label = (&'static str, Cow<'static, str>);

/// What is told under a name, with some labels.
#[derive(Debug)]
enum Sample {
    Counter(u64),
    Seconds(f64),
    Gauge(f64),
    /// Bounds in s, how many were within each and beyond the one before, and all together in s.
    Histogram(Vec<(f64, u64)>, f64),
}

/// All that is told under one name.
#[derive(Debug)]
struct Family {
    name: Cow<'static, str>,
    help: &'static str,
    samples: Vec<(Vec<Label>, Sample)>,
}

/// What is told in one scrape.
#[derive(Debug, Default)]
pub(super) struct Families(Vec<Family>);

impl Families {
    fn add(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        help: &'static str,
        samples: impl IntoIterator<Item = (Vec<Label>, Sample)>,
    ) {
        let samples = samples.into_iter().collect();
        self.0.push(Family { name: name.into(), help, samples });
    }

    /// A count that grows; `_total` is put behind its name.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, count: u64) {
        self.add(name, help, [(Vec::new(), Sample::Counter(count))]);
    }

    /// Seconds that grow; `_total` is put behind their name.
    pub(super) fn seconds(&mut self, name: &'static str, help: &'static str, seconds: f64) {
        self.add(name, help, [(Vec::new(), Sample::Seconds(seconds))]);
    }

    /// Counts that grow; `_total` is put behind their name.
    pub(super) fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        counts: impl IntoIterator<Item = (Vec<Label>, u64)>,
    ) {
        let counts = counts.into_iter();
        self.add(name, help, counts.map(|(labels, count)| (labels, Sample::Counter(count))));
    }

    /// What goes up and down.
    #[expect(clippy::cast_precision_loss, reason = "figures are told as floating-point numbers")]
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.add(name, help, [(Vec::new(), Sample::Gauge(value as f64))]);
    }

    /// What goes up and down, of several.
    #[expect(clippy::cast_precision_loss, reason = "figures are told as floating-point numbers")]
    pub(super) fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        values: impl IntoIterator<Item = (Vec<Label>, u64)>,
    ) {
        let values = values.into_iter();
        self.add(name, help, values.map(|(labels, value)| (labels, Sample::Gauge(value as f64))));
    }

    /// A moment, in ms since 1970.
    pub(super) fn moment(&mut self, name: &'static str, help: &'static str, ms: u64) {
        self.add(name, help, [(Vec::new(), Sample::Gauge(seconds(ms, 1000)))]);
    }

    /// How long something took.
    pub(super) fn measured(
        &mut self,
        name: &'static str,
        help: &'static str,
        of: impl IntoIterator<Item = (Vec<Label>, Measured)>,
    ) {
        let histogram = |(labels, it): (Vec<Label>, Measured)| {
            let buckets = buckets(&Histogram::BOUNDS_US, &it.counts, 1_000_000);
            (labels, Sample::Histogram(buckets, seconds(it.sum_us, 1_000_000)))
        };
        self.add(name, help, of.into_iter().map(histogram));
    }

    /// How long something lasted.
    pub(super) fn lasted(
        &mut self,
        name: &'static str,
        help: &'static str,
        of: impl IntoIterator<Item = (Vec<Label>, Durations)>,
    ) {
        let histogram = |(labels, it): (Vec<Label>, Durations)| {
            let buckets = buckets(&Durations::BOUNDS_MS, &it.counts, 1000);
            (labels, Sample::Histogram(buckets, seconds(it.sum_ms, 1000)))
        };
        self.add(name, help, of.into_iter().map(histogram));
    }
}

/// So many parts of a second, in s.
#[expect(clippy::cast_precision_loss, reason = "figures are told as floating-point numbers")]
fn seconds(parts: u64, in_a_second: u64) -> f64 {
    parts as f64 / in_a_second as f64
}

fn buckets(bounds: &[u64], counts: &[u64], in_a_second: u64) -> Vec<(f64, u64)> {
    let bounds = bounds.iter().map(|&bound| seconds(bound, in_a_second));
    bounds.chain([f64::INFINITY]).zip(counts.iter().copied()).collect()
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Family { name, help, samples } in &self.0 {
            let kind = match samples.first() {
                None => continue,
                Some((_, Sample::Counter(_) | Sample::Seconds(_))) => MetricType::Counter,
                Some((_, Sample::Gauge(_))) => MetricType::Gauge,
                Some((_, Sample::Histogram(..))) => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (labels, value) in samples {
                if labels.is_empty() {
                    write(&mut family, value)?;
                } else {
                    write(&mut family.encode_family(labels)?, value)?;
                }
            }
        }
        Ok(())
    }
}

fn write(to: &mut MetricEncoder<'_>, value: &Sample) -> Result<(), fmt::Error> {
    let no_exemplar = None::<&Exemplar<NoLabelSet, f64>>;
    match value {
        Sample::Counter(count) => to.encode_counter(count, no_exemplar),
        Sample::Seconds(seconds) => to.encode_counter(seconds, no_exemplar),
        Sample::Gauge(value) => to.encode_gauge(value),
        Sample::Histogram(buckets, sum) => {
            let count = buckets.iter().map(|(_, count)| count).sum();
            to.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}
