//! No circle between files: what a file names lies below it, or beside another branch.
//!
//! A path is followed to the file that defines its end, through modules that only pass it on. So
//! a `mod.rs` that defines nothing is no file that one could name. Methods are not followed: the
//! parts of one `impl` may stand in several files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::paths::{Named, Target, names};
use crate::source::Source;

/// A module's path, from the root of the crate.
type Module<'a> = Vec<&'a str>;

/// What a file names of other files: each with the line where it does so first.
type Edges = BTreeMap<usize, usize>;

/// One fault for each group of files that name each other in a circle.
pub(crate) fn check(sources: &[&Source<'_>], faults: &mut Vec<String>) {
    // The program's own root is another crate, which nothing here can name.
    let sources: Vec<_> =
        sources.iter().copied().filter(|source| source.path != "src/main.rs").collect();
    let sources = &sources[..];
    let edges = Tree::new(sources).edges();
    let mut seen = BTreeSet::new();
    for start in 0..sources.len() {
        if seen.contains(&start) {
            continue;
        }
        let Some(circle) = circle(&edges, start) else { continue };
        seen.extend(circle.iter().map(|&(file, _)| file));
        let steps: Vec<_> =
            circle.iter().map(|&(file, line)| format!("{}:{line}", sources[file].path)).collect();
        faults.push(format!("{}: names itself by a circle", steps.join(" → ")));
    }
}

/// The shortest way from `start` back to it: each file, with the line that names the next.
fn circle(edges: &[Edges], start: usize) -> Option<Vec<(usize, usize)>> {
    let mut came_from = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for (&to, &line) in &edges[file] {
            if to == start {
                let mut way = vec![(file, line)];
                while let Some(&step) = came_from.get(&way[0].0) {
                    way.insert(0, step);
                }
                return Some(way);
            }
            came_from.entry(to).or_insert_with(|| {
                next.push_back(to);
                (file, line)
            });
        }
    }
    None
}

/// The crate's modules, and what is imported into each.
struct Tree<'s, 'a> {
    sources: &'s [&'s Source<'a>],
    modules: BTreeMap<Module<'a>, usize>,
    imports: BTreeMap<(Module<'a>, &'a str), Module<'a>>,
    named: Vec<Vec<Named<'a>>>,
}

impl<'s, 'a> Tree<'s, 'a> {
    fn new(sources: &'s [&'s Source<'a>]) -> Self {
        let modules = (0..).zip(sources).map(|(n, source)| (source.home(), n)).collect();
        let named = sources.iter().map(|source| names(&source.tokens, &source.home())).collect();
        let mut tree = Self { sources, modules, imports: BTreeMap::new(), named };
        for (source, found) in sources.iter().zip(&tree.named) {
            for Named { path, import, .. } in found {
                let (Some(name), Some(path)) = (*import, tree.whole(path, &source.home())) else {
                    continue;
                };
                // `use names;` would be a way from a module to itself.
                if path != [&source.home()[..], &[name]].concat() {
                    tree.imports.insert((source.home(), name), path);
                }
            }
        }
        tree
    }

    /// The path from the root, if it leads to something of ours.
    fn whole(&self, path: &Target<'a>, home: &[&'a str]) -> Option<Module<'a>> {
        match path {
            Target::Ours(path) => Some(path.clone()),
            Target::Outside(path) => {
                let below = [home, &path[..1]].concat();
                if self.modules.contains_key(&below) {
                    return Some([home, path].concat());
                }
                let import = self.imports.get(&(home.to_vec(), path[0]))?;
                (path.len() > 1).then(|| [import, &path[1..]].concat())
            }
        }
    }

    fn edges(&self) -> Vec<Edges> {
        let mut edges = vec![Edges::new(); self.sources.len()];
        for (from, source) in self.sources.iter().enumerate() {
            for Named { line, path, .. } in &self.named[from] {
                let to = self.whole(path, &source.home()).and_then(|path| self.file(&path));
                if let Some(to) = to.filter(|&to| to != from) {
                    edges[from].entry(to).or_insert(*line);
                }
            }
        }
        edges
    }

    /// The file that defines what a path ends at; none if it ends at a module.
    fn file(&self, path: &[&'a str]) -> Option<usize> {
        let mut path = path.to_vec();
        // As many as no chain of imports is long.
        for _ in 0..16 {
            let mut home = (1..=path.len())
                .rev()
                .map(|length| &path[..length])
                .find(|head| self.modules.contains_key(*head))
                .unwrap_or_default();
            let rest = &path[home.len()..];
            let &name = rest.first()?;
            if name == "*" {
                return self.modules.get(home).copied();
            }
            let Some(import) = self.imports.get(&(home.to_vec(), name)) else {
                return self.modules.get(home).copied();
            };
            home = &rest[1..];
            path = [import, home].concat();
        }
        None
    }
}
