use super::*;
use crate::source::{Files, Missing, Target};

const MDSTAT: &str = "\
Personalities : [raid1] [raid6] [raid5] [raid4] [linear]
md0 : active raid1 sdb1[2](F) sda1[0] sdc1[3](S)
      195310144 blocks super 1.2 [2/1] [U_]
      [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec
      bitmap: 0/2 pages [0KB], 65536KB chunk

md1 : active (auto-read-only) raid6 sdd[3] cciss/c0d0p1[2](W) sdb[1] sda[0](J)(F)
      523968 blocks super 1.2 level 6, 64k chunk, algorithm 2 [4/4] [UUUU]
\tresync=PENDING

md2 : active (read-only) raid0 sda2[0] sdb2[1]
      314159265 blocks 64k chunks

md127 : inactive sdb[1](S) sda[0](S)
      6306 blocks super external:imsm

md3 : active raid1 sde1[1] sdf1[0]
      1000 blocks [2/2] [UU]
      [==>..................]  check = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec

unused devices: <none>
";

#[test]
fn arrays_are_read() {
    let found = parse("/proc/mdstat", MDSTAT);
    assert!(found.malformed.is_empty(), "{:?}", found.malformed);
    let [md0, md1, md2, imsm, md3] = found.arrays.as_slice() else { panic!("{found:?}") };
    assert_eq!((md0.level.as_deref(), md0.size_kib), (Some("raid1"), Some(195_310_144)));
    assert_eq!((md0.wanted, md0.working, md0.slots.as_deref()), (Some(2), Some(1), Some("U_")));
    assert_eq!((md0.failed, md0.spare, md0.members.len()), (1, 1, 3));
    assert_eq!(
        (md0.action, md0.progress_percent, md0.finish_minutes),
        (Some(MdAction::Recovery), Some(8.5), Some(17.0))
    );
    assert_eq!(md0.at.to_string(), "/proc/mdstat:2");
    assert_eq!(
        (md1.action, md1.waiting, md1.read_only, md1.active),
        (Some(MdAction::Resync), true, false, true)
    );
    assert_eq!((md1.members[1].device.as_str(), md1.members[1].number, md1.failed), ("cciss/c0d0p1", 2, 1));
    assert_eq!((md2.level.as_deref(), md2.wanted, md2.read_only), (Some("raid0"), None, true));
    assert_eq!((imsm.active, imsm.external, imsm.spare, imsm.level.as_deref()), (false, true, 2, None));
    assert_eq!((md3.action, md3.progress_percent), (Some(MdAction::Check), Some(12.6)));
}

#[test]
fn a_line_that_belongs_nowhere_is_kept() {
    let found = parse(
        "p",
        "nonsense\n  indented nonsense\nPersonalities [raid1]\nmd0 : active raid6 sdf1[0] sde1[x] [1]\n\0\u{fffd}\n",
    );
    assert_eq!(found.malformed, ["1: nonsense", "2:   indented nonsense", "5: \0\u{fffd}"]);
    assert_eq!(found.arrays[0].members.len(), 1);
    assert_eq!((found.arrays[0].level.as_deref(), found.arrays[0].wanted), (Some("raid6"), None));
}

#[test]
fn an_array_on_one_line_as_people_paste_it() {
    let found = parse("p", "md1 : active raid1 sda1[0] 20478912 blocks [2/1] [U_] resync=DELAYED\n");
    let array = &found.arrays[0];
    assert_eq!(
        (array.size_kib, array.wanted, array.working, array.waiting),
        (Some(20_478_912), Some(2), Some(1), true)
    );
}

#[test]
fn a_truncated_file_is_what_is_there() {
    for end in 0..MDSTAT.len() {
        let found = parse("p", &MDSTAT[..end]);
        assert!(found.arrays.len() <= 5);
    }
    assert!(parse("p", "").arrays.is_empty());
}

#[test]
fn without_md_there_is_no_such_fact() {
    let host = |files: Files| Host::new(files, Target::live());
    assert!(matches!(Mdraid::collect(&host(Files::new())), Err(Missing::Absent)));
    let mut files = Files::new();
    files.deny("/proc/mdstat");
    assert!(matches!(Mdraid::collect(&host(files)), Err(Missing::Unreadable(_))));
}
