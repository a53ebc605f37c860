//! A token's own rules can only narrow its signer's: held against a plain model, which makes one
//! list of rules out of the two.

use serde_json::{Value, json};
use ticketd::access::{Right, Rules};

use super::signing::HS;
use super::world::{NOW, World, after, claims, show};
use crate::faults::Seed;
use crate::rng::Rng;

const ROUNDS: usize = 300;
const STEMS: [&str; 8] = ["", "a", "a/", "a/b", "a/b/", "b", "ab", "a*"];

/// A rule as the model sees it: all rights by name, none of them including others.
#[derive(Clone, Debug)]
struct ModelRule {
    rights: Vec<Right>,
    patterns: Vec<String>,
    priority: u8,
}

/// Whether a pattern fits a name, said in other words than the server's.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.char_indices().last() {
        Some((at, '*')) => name.len() >= at && name.as_bytes()[..at] == pattern.as_bytes()[..at],
        _ => pattern == name,
    }
}

/// The pattern of the names that fit both.
fn both(a: &str, b: &str) -> Option<String> {
    let open = |text: &str| text.ends_with('*');
    match (open(a), open(b)) {
        (false, _) => fits(b, a).then(|| a.to_owned()),
        (true, false) => fits(a, b).then(|| b.to_owned()),
        (true, true) => {
            let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
            let stems = (&short[..short.len() - 1], &long[..long.len() - 1]);
            stems.1.starts_with(stems.0).then(|| long.to_owned())
        }
    }
}

impl ModelRule {
    fn draw(rng: &mut Rng) -> Self {
        let rights = match rng.below(8) {
            0 => Right::ALL.to_vec(),
            1 => vec![Right::Metrics],
            _ => Right::ALL[..6].iter().copied().filter(|_| rng.chance(1, 2)).collect(),
        };
        let rights = if rights.is_empty() { vec![Right::Work] } else { rights };
        let admin = rights.contains(&Right::Admin);
        let patterns = (0..=rng.below(3)).filter_map(|_| {
            let stem = STEMS[rng.below(STEMS.len())];
            let pattern = if rng.chance(1, 2) { format!("{stem}*") } else { stem.to_owned() };
            (!pattern.is_empty()).then_some(pattern)
        });
        let mut patterns: Vec<_> = patterns.collect();
        if admin || patterns.is_empty() {
            patterns = vec!["*".to_owned()];
        }
        let priority = u8::try_from(rng.below(10)).expect("small");
        Self { rights, patterns, priority }
    }

    fn written(&self) -> Value {
        let mut rule = if self.rights.contains(&Right::Admin) {
            json!({"to": ["admin"]})
        } else {
            json!({"to": self.rights.iter().map(|right| right.as_str()).collect::<Vec<_>>()})
        };
        if self.rights[0].has_names() && !self.rights.contains(&Right::Admin) {
            rule["on"] = json!(self.patterns);
        }
        if self.priority < 9 {
            rule["priority"] = json!(self.priority);
        }
        rule
    }

    /// With what its rights include.
    fn whole(mut self) -> Self {
        if self.rights.contains(&Right::Work) && !self.rights.contains(&Right::Claim) {
            self.rights.push(Right::Claim);
        }
        self
    }

    fn and(&self, other: &Self) -> Self {
        let patterns = self
            .patterns
            .iter()
            .flat_map(|a| other.patterns.iter().filter_map(move |b| both(a, b)));
        Self {
            rights: self.rights.iter().copied().filter(|r| other.rights.contains(r)).collect(),
            patterns: patterns.collect(),
            priority: self.priority.min(other.priority),
        }
    }

    fn may(&self, right: Right, name: &str, priority: u8) -> bool {
        self.rights.contains(&right)
            && priority <= self.priority
            && (!right.has_names() || self.patterns.iter().any(|pattern| fits(pattern, name)))
    }

    fn covers(&self, right: Right, prefix: &str) -> bool {
        self.rights.contains(&right)
            && self.patterns.iter().any(|pattern| {
                pattern.ends_with('*') && prefix.starts_with(&pattern[..pattern.len() - 1])
            })
    }
}

fn draw(rng: &mut Rng) -> Vec<ModelRule> {
    (0..rng.below(4)).map(|_| ModelRule::draw(rng)).collect()
}

fn written(rules: &[ModelRule]) -> Value {
    rules.iter().map(ModelRule::written).collect()
}

/// JSON's `{"to": …}` in TOML.
fn toml(rules: &[ModelRule]) -> String {
    written(rules).to_string().replace("\":", "\"=")
}

fn whole(rules: &[ModelRule]) -> Vec<ModelRule> {
    rules.iter().cloned().map(ModelRule::whole).collect()
}

fn check(rules: &Rules, model: &[ModelRule]) -> usize {
    let mut allowed = 0;
    for stem in STEMS.into_iter().flat_map(|stem| [stem.to_owned(), format!("{stem}x")]) {
        for right in Right::ALL {
            for priority in [0, 3, 9] {
                let expected = model.iter().any(|rule| rule.may(right, &stem, priority));
                let may = rules.may_with(right, &stem, priority);
                assert_eq!(may, expected, "{right} on {stem:?} with {priority}: {model:?}");
                allowed += usize::from(may);
            }
            if right.has_names() {
                let expected = model.iter().any(|rule| rule.covers(right, &stem));
                assert_eq!(rules.covers(right, &stem), expected, "{right} {stem:?}…: {model:?}");
            } else {
                let expected = model.iter().any(|rule| rule.may(right, "", 0));
                assert_eq!(rules.may_at_all(right), expected);
            }
        }
    }
    allowed
}

#[test]
fn a_token_can_only_narrow() {
    let seed = Seed::or(11);
    let mut rng = Rng::new(seed.0);
    let (mut signers, mut tokens) = (0, 0);
    for round in 0..ROUNDS {
        let (signer, token) = (draw(&mut rng), draw(&mut rng));
        let last = "secret-file = \"hs.secret\"";
        let world = World::new().with(last, &format!("{last}\nallow = {}", toml(&signer)));
        let gate = world.gate();
        let rules = |change: Value| {
            let jwt = HS.jwt(&claims("hs", change));
            show(&gate, &jwt, after(0)).unwrap_or_else(|why| panic!("{round}: {why:?}"))
        };
        let plain = whole(&signer);
        signers += check(rules(json!({"exp": NOW + 1})).rules(), &plain);
        let own = whole(&token);
        let narrowed: Vec<_> =
            plain.iter().flat_map(|a| own.iter().map(move |b| a.and(b))).collect();
        tokens += check(rules(json!({"allow": written(&token)})).rules(), &narrowed);
    }
    println!("{ROUNDS} rounds: allowed {signers} times, narrowed to {tokens}");
    assert!(0 < tokens && tokens < signers, "the draw is one-sided");
}
