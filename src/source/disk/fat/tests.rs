//! Held to what Linux itself lists of the same images (fixtures/images/make-extfat), to another reader, and to damage.

use super::*;
use crate::source::disk::harness::{Damaged, exhaust, held, image, same_as_listed};

const KINDS: [&str; 3] = ["fat12", "fat16", "fat32"];

fn opened(name: &str) -> Arc<dyn FileSystem> {
    open(held(&format!("extfat/{name}.img.zst"))).unwrap()
}

#[test]
fn all_is_as_linux_sees_it() {
    for name in KINDS {
        let list = String::from_utf8(image(&format!("extfat/{name}.list.zst"))).unwrap();
        let fs = opened(name);
        same_as_listed(&*fs, &list);
        let space = list.lines().find_map(|line| line.strip_prefix("# ")).unwrap();
        assert_eq!(fs.space(), Ok(space.parse().unwrap()), "{name}");
    }
}
