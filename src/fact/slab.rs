//! The kernel's caches of objects of its own.

use super::Fact;
use crate::format::key_value::KeyValues;
use crate::model::Partial;
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason, Unreadable};

const SLABINFO: &str = "/proc/slabinfo";
const MEMINFO: &str = "/proc/meminfo";

/// From this much slab on /proc/slabinfo is left alone.
const TOO_MUCH_KIB: u64 = 8 << 20;

record! {
    /// The kernel's caches of objects: dentries, inodes, sockets, and so on.
    ///
    /// ```text
    /// /proc/slabinfo   # name      <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables …
    ///                  dentry      1874504       1874560    192       21           1              : tunables 0 0 0 : …
    /// ```
    ///
    /// Source: slabinfo(5). Only root may read it. It is not read where slabs hold more than 8 GiB (`Slab:` of /proc/meminfo):
    /// old kernels with the SLAB allocator walk all lists of a cache with interrupts off to count them, SLUB those that are
    /// partly used, which can stop the host's network for up to a second. Absent where no kernel runs.
    #[bare(caches)]
    pub struct Slab {
        /// The caches, in the order of the file.
        pub caches: Partial<SlabCache>,
    }
}

record! {
    /// One cache.
    #[derive(Clone, PartialEq)]
    pub struct SlabCache {
        /// Its name: `dentry`, `proc_inode_cache`, `TCP`, `kmalloc-512`. Kernels merge caches of like objects under one name.
        pub name: String,
        /// Objects in use.
        pub active_objects: u64,
        /// Objects there is room for.
        pub objects: u64,
        /// The size of one, in bytes.
        pub object_bytes: u64,
        /// What all objects take, in KiB; what is left over in their pages is not counted.
        pub size_kib: u64,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Slab {
    const NAME: &'static str = "slab";
    const READS: &'static [&'static str] = &[SLABINFO, MEMINFO];

    fn collect(host: &Host) -> Reading<Self> {
        let meminfo = host.read_text(MEMINFO)?;
        let kib = KeyValues::new(MEMINFO, &meminfo, ':').kib("Slab")?;
        if kib > TOO_MUCH_KIB {
            let gib = kib >> 20;
            let what = format!("slabs hold {gib} GiB: to count them could stop the host for a moment");
            return Err(Missing::unreadable(SLABINFO, Reason::NotRead(what)));
        }
        Ok(Self { caches: parse(&host.read_text(SLABINFO)?) })
    }
}

fn parse(text: &str) -> Partial<SlabCache> {
    let mut caches = Partial::default();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with('#') || line.starts_with("slabinfo - version") || line.is_empty() {
            continue;
        }
        match cache(line, number) {
            Some(cache) => caches.items.push(cache),
            None => {
                let reason = Reason::Garbled(format!("line {number} describes no cache"));
                caches.unread.push(Unreadable { path: SLABINFO.into(), reason });
            }
        }
    }
    caches
}

/// The numbers are counted from their end: a name is whatever a driver has chosen.
fn cache(line: &str, number: u32) -> Option<SlabCache> {
    let (before, _) = line.split_once(" : ")?;
    let mut rest = before;
    let mut number_from_end = || {
        let (left, word) = rest.trim_end().rsplit_once(|c: char| c.is_ascii_whitespace())?;
        rest = left;
        word.parse::<u64>().ok()
    };
    let (_pages_per_slab, _objects_per_slab) = (number_from_end()?, number_from_end()?);
    let (object_bytes, objects, active_objects) =
        (number_from_end()?, number_from_end()?, number_from_end()?);
    let name = rest.trim();
    (!name.is_empty()).then(|| SlabCache {
        name: name.to_owned(),
        active_objects,
        objects,
        object_bytes,
        size_kib: objects.saturating_mul(object_bytes) / 1024,
        at: At::line(SLABINFO, number),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    const TEXT: &str = "slabinfo - version: 2.1\n\
        # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> : slabdata\n\
        proc_inode_cache  4701436 4730094    656    6    1 : tunables   54   27    8 : slabdata 788349 788349      0\n\
        scsi cmd(DMA)         20     40   1024   10    4 : tunables 0 0 0 : slabdata 1 1 0\n";

    fn collect(meminfo: &str, slabinfo: Option<&str>) -> Reading<Slab> {
        let mut files = Files::new();
        files.file(MEMINFO, meminfo);
        match slabinfo {
            Some(text) => files.file(SLABINFO, text),
            None => files.deny(SLABINFO),
        };
        Slab::collect(&Host::new(files, Target::live()))
    }

    #[test]
    fn caches_are_read_whatever_their_names() {
        let caches = collect("Slab: 4400000 kB\n", Some(TEXT)).unwrap().caches;
        assert!(caches.unread.is_empty());
        let found: Vec<_> =
            caches.items.iter().map(|c| (c.name.as_str(), c.active_objects, c.size_kib)).collect();
        assert_eq!(found, [("proc_inode_cache", 4_701_436, 3_030_216), ("scsi cmd(DMA)", 20, 40)]);
        assert_eq!(caches.items[0].at, At::line(SLABINFO, 3));
    }

    #[test]
    fn very_much_slab_is_left_alone() {
        assert!(collect("Slab: 8388608 kB\n", Some(TEXT)).is_ok());
        let Err(Missing::Unreadable(why)) = collect("Slab: 27452480 kB\n", Some(TEXT)) else { panic!() };
        assert!(matches!(&why.reason, Reason::NotRead(what) if what.contains("26 GiB")), "{why}");
    }

    #[test]
    fn denied_is_unreadable_and_no_slab_is_absent() {
        assert!(matches!(collect("Slab: 1 kB\n", None), Err(Missing::Unreadable(_))));
        assert!(matches!(collect("MemTotal: 1 kB\n", Some(TEXT)), Err(Missing::Absent)));
    }

    #[test]
    fn odd_lines_are_kept_as_unread() {
        for line in ["dentry 1 2 3", "dentry 1 2 x 4 5 : tunables", "1 2 3 4 5 : t", "\0\u{fffd}"] {
            let caches = parse(&format!("{TEXT}{line}\n"));
            assert_eq!((caches.items.len(), caches.unread.len()), (2, 1), "{line:?}");
        }
        assert!(parse("").items.is_empty());
    }
}
