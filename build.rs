//! Embeds the rules: every `rules/<area>/<name>.toml` becomes an entry of a sorted list.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    println!("cargo:rerun-if-changed=rules");
    let mut files = Vec::new();
    for area in fs::read_dir(Path::new(&root).join("rules"))? {
        let area = area?;
        if !area.file_type()?.is_dir() {
            continue;
        }
        println!("cargo:rerun-if-changed={}", area.path().display());
        for file in fs::read_dir(area.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|e| e == "toml") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                files.push((format!("{}/{name}", area.file_name().to_string_lossy()), path));
            }
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for (id, path) in files {
        writeln!(list, "    ({id:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&out).join("rules.rs"), list)
}
