use super::*;
use crate::source::{Files, Target};

fn collect(files: &Files) -> Reading<Hugepages> {
    Hugepages::collect(&Host::new(files.clone(), Target::live()))
}

fn pool_files(files: &mut Files, size_kib: u64, counts: [u64; 5]) {
    let names =
        ["nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages", "nr_overcommit_hugepages"];
    for (name, count) in names.iter().zip(counts) {
        files.file(format!("{POOLS}/hugepages-{size_kib}kB/{name}"), format!("{count}\n"));
    }
}

fn requested(text: &str) -> Vec<(Option<u64>, u64)> {
    let found = requests(&kernel_command_line::parse(text), None);
    found.into_iter().map(|request| (request.size_kib, request.pages)).collect()
}

#[test]
fn pools_of_every_size_are_read_smallest_first() {
    let mut files = Files::new();
    pool_files(&mut files, 1_048_576, [4, 4, 0, 0, 0]);
    pool_files(&mut files, 2048, [256, 200, 16, 3, 8]);
    files.file(MEMINFO, "MemTotal: 1 kB\nHugepagesize: 2048 kB\n").file(CMDLINE, "hugepages=256\n");
    let hugepages = collect(&files).unwrap();
    let sizes: Vec<_> = hugepages.pools.items.iter().map(|pool| pool.size_kib).collect();
    assert_eq!(sizes, [2048, 1_048_576]);
    let small = &hugepages.pools.items[0];
    assert_eq!((&small.total, &small.free, &small.reserved), (&Ok(256), &Ok(200), &Ok(16)));
    assert_eq!((&small.surplus, &small.overcommit), (&Ok(3), &Ok(8)));
    assert_eq!(hugepages.default_size_kib, Ok(2048));
    let request = Request { size_kib: Some(2048), pages: 256, at: At::file(CMDLINE) };
    assert_eq!(hugepages.requested, Ok(vec![request]));
}

#[test]
fn meminfo_serves_where_sys_is_missing() {
    let mut files = Files::new();
    files.file(MEMINFO, "HugePages_Total: 120\nHugePages_Free: 119\nHugepagesize: 1048576 kB\n");
    let pool = collect(&files).unwrap().pools.items.remove(0);
    assert_eq!((pool.size_kib, pool.total, pool.free), (1_048_576, Ok(120), Ok(119)));
    assert_eq!(pool.overcommit, Err(Missing::Absent));
}

#[test]
fn no_kernel_and_no_huge_pages_are_absent() {
    assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    let mut files = Files::new();
    files.file(MEMINFO, "MemTotal: 1 kB\n");
    assert!(matches!(collect(&files), Err(Missing::Absent)));
}

#[test]
fn denied_pools_are_not_none() {
    let mut files = Files::new();
    files.file(MEMINFO, "Hugepagesize: 2048 kB\n").deny(POOLS).deny(CMDLINE);
    let hugepages = collect(&files).unwrap();
    assert_eq!((hugepages.pools.items.len(), hugepages.pools.unread.len()), (0, 1));
    assert!(matches!(hugepages.requested, Err(Missing::Unreadable(_))));
    let mut files = Files::new();
    files.deny(MEMINFO);
    assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
}

#[test]
fn a_garbled_or_missing_number_costs_only_itself() {
    let mut files = Files::new();
    pool_files(&mut files, 2048, [8, 8, 0, 0, 0]);
    files.file(format!("{POOLS}/hugepages-2048kB/free_hugepages"), b"\xff\0\n".to_vec());
    files.directory(format!("{POOLS}/hugepages-manykB"));
    let hugepages = collect(&files).unwrap();
    assert_eq!(hugepages.pools.items.len(), 1);
    let pool = &hugepages.pools.items[0];
    assert_eq!(pool.total, Ok(8));
    assert!(matches!(pool.free, Err(Missing::Unreadable(_))));
}

#[test]
fn requests_belong_to_the_size_named_before_them() {
    assert_eq!(requested("hugepages=7 ro"), [(None, 7)]);
    assert_eq!(
        requested("default_hugepagesz=1G hugepagesz=1G hugepages=120 hugepagesz=2M hugepages=64"),
        [(Some(1_048_576), 120), (Some(2048), 64)]
    );
    assert_eq!(requested("hugepagesz=1073741824 hugepages=50"), [(Some(1_048_576), 50)]);
    assert_eq!(requested("hugepagesz=2M hugepages=0:8,1:4"), [(Some(2048), 12)]);
}

#[test]
fn requests_that_make_no_sense_are_none() {
    assert_eq!(requested("hugepagesz=2M hugepages=4 hugepages=9"), [(Some(2048), 4)]);
    for text in
        ["", "hugepages", "hugepages=", "hugepages=lots", "hugepagesz=huge hugepages=4", "hugepages=0:x,1:4"]
    {
        assert_eq!(requested(text), [], "{text}");
    }
}
