//! The wall between the layers, and the few habits that neither rustc nor clippy can hold.
//!
//! One package has no compiler wall between its modules, so this reads the source: which layer
//! names which, what a layer does without, that no files name each other in a circle, that a name
//! is one type, how each file opens and how long it is, and that the map in `src/DESIGN.md` is that
//! of the folders. It reads tokens, not text, so that comments and strings may say anything.
//! Modules under `#[cfg(test)]` may name what they like. All but the walk is pure.

mod circles;
mod form;
mod layers;
mod map;
mod paths;
mod shape;
mod source;
mod tokens;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use source::Source;

#[test]
fn the_tree_is_tidy() -> io::Result<()> {
    let (mut files, mut rooms) = (Vec::new(), Vec::new());
    for top in ["src", "tests", "benches", "examples"] {
        read(Path::new("."), Path::new(top), &mut files, &mut rooms)?;
    }
    assert!(files.iter().any(|(path, _)| path.starts_with("src/")), "found no source to check");
    let mut faults = check(&files);
    faults.extend(check_figures(&files));
    let rooms: Vec<_> = rooms.iter().filter_map(|room| room.strip_prefix("src/")).collect();
    let rooms: Vec<_> = rooms.into_iter().map(str::to_owned).collect();
    faults.extend(map::check(&fs::read_to_string("src/DESIGN.md")?, &rooms));
    assert!(faults.is_empty(), "{} to mend:\n{}", faults.len(), faults.join("\n"));
    Ok(())
}

/// Adds the path (from `root`, with `/`) and text of every `.rs` file under `dir`, if there is one,
/// and the paths of all that is there, folders with `/` at the end.
fn read(
    root: &Path,
    dir: &Path,
    files: &mut Vec<(String, String)>,
    rooms: &mut Vec<String>,
) -> io::Result<()> {
    if !root.join(dir).is_dir() {
        return Ok(());
    }
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(root.join(dir))? {
        names.insert(entry?.file_name());
    }
    for path in names.iter().map(|name| dir.join(name)) {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let name = parts.join("/");
        if root.join(&path).is_dir() {
            rooms.push(format!("{name}/"));
            read(root, &path, files, rooms)?;
        } else {
            rooms.push(name.clone());
            if path.extension().is_some_and(|extension| extension == "rs") {
                files.push((name, fs::read_to_string(root.join(&path))?));
            }
        }
    }
    Ok(())
}

/// All that is wrong with these files, one line each.
fn check(files: &[(String, String)]) -> Vec<String> {
    let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    let mut faults = Vec::new();
    for source in &sources {
        form::check(source, &mut faults);
    }
    let shipped = shipped(&sources);
    for source in &shipped {
        layers::check(source, &mut faults);
    }
    circles::check(&shipped, &mut faults);
    shape::check_types(&shipped, &mut faults);
    faults
}

/// What is wrong with the whole tree's figures, one line each.
fn check_figures(files: &[(String, String)]) -> Vec<String> {
    let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    let mut faults = Vec::new();
    shape::check_figures(&shipped(&sources), &mut faults);
    faults
}

/// Those of the program, without tests.
fn shipped<'s, 'a>(sources: &'s [Source<'a>]) -> Vec<&'s Source<'a>> {
    let tests: Vec<_> = sources.iter().flat_map(|source| &source.test_files).collect();
    let is_test = |source: &Source<'_>| tests.iter().any(|test| source.module.starts_with(test));
    sources.iter().filter(|source| source.path.starts_with("src/") && !is_test(source)).collect()
}
