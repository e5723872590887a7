//! The floors of the crate, held by reading its `use crate::` lines.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The floors, the lowest first. Each may import those before it.
const FLOORS: [&str; 7] = ["source", "model", "format", "fact", "engine", "report", "cli"];

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The floors that a file names after `crate::`, comments left out.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).flat_map(|code| {
        code.split("crate::").skip(1).map(|after| {
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            &after[..end]
        })
    })
}

#[test]
fn every_floor_imports_only_floors_below() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    for (height, floor) in FLOORS.iter().enumerate() {
        let mut files = Vec::new();
        rust_files(&source.join(floor), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for import in imports(&text) {
                if let Some(other) = FLOORS.iter().position(|f| *f == import) {
                    checked += 1;
                    assert!(other <= height, "{}: {floor} must not import {import}", file.display());
                }
            }
        }
    }
    assert!(checked > 50, "the imports were not found");
}

#[test]
fn facts_do_not_read_one_another() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fact");
    let mut files = Vec::new();
    rust_files(&directory, &mut files);
    for file in files {
        let own = file.strip_prefix(&directory).unwrap().components().next().unwrap();
        let own = Path::new(own.as_os_str()).with_extension("");
        let text = fs::read_to_string(&file).unwrap();
        for other in text.split("crate::fact::").skip(1) {
            let end = other.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(other.len());
            let named = &other[..end];
            assert!(
                named.is_empty() || Path::new(named) == own,
                "{}: reads the fact {named}",
                file.display()
            );
        }
    }
}

#[test]
fn every_file_of_the_facts_is_registered() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fact");
    for entry in fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        let known = hostvet::fact::kinds().iter().any(|kind| kind.name == name);
        assert!(known || name == "mod", "src/fact/{name} is not in the list of src/fact/mod.rs");
    }
}

#[test]
fn nothing_but_sources_and_rule_files_is_opened() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    for file in files {
        let below = file.strip_prefix(&source).unwrap().to_string_lossy().into_owned();
        // Sources read the host; the library reads rules; the command line reads configuration and writes new rules.
        if below.starts_with("source/") || below.starts_with("cli/") || below == "engine/library.rs" {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for call in ["std::fs", "fs::read", "File::open", "Command::new", "std::net"] {
            assert!(!code.contains(call), "{below} calls {call}");
        }
    }
}

#[test]
fn main_is_short() {
    let main = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs")).unwrap();
    assert!(main.lines().count() < 40);
}
