//! What programs share through the kernel by System V's and POSIX's means: shared memory, semaphores, message queues.

use super::Fact;
use crate::format::mountinfo::mountinfo;
use crate::model::{Lazy, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason, Unreadable};
use std::path::Path;

const SHM: &str = "/proc/sysvipc/shm";
const SEM: &str = "/proc/sysvipc/sem";
const MSG: &str = "/proc/sysvipc/msg";
const MOUNTS: &str = "/proc/self/mountinfo";

record! {
    /// System V's shared memory, semaphores and message queues, and how many of POSIX's queues there are.
    ///
    /// ```text
    /// /proc/sysvipc/shm   key      shmid perms          size  cpid  lpid nattch   uid …
    ///                     5432001      0   600      56131584  1204  1204      6    26 …
    /// /proc/sysvipc/sem   key      semid perms      nsems   uid …
    ///                     0            3   600          1    48 …
    /// ```
    ///
    /// Source: sysvipc(7), proc_sysvipc(5), ipc/{shm,sem,msg}.c. They live until they are removed, whether or not the program that made
    /// them does. Those of hostvet's own name space of IPC are seen, and others' too that hostvet may not use. Absent where no kernel
    /// runs, and where it has none of it.
    pub struct Ipc {
        /// Segments of shared memory.
        pub segments: Reading<Partial<Segment>>,
        /// Sets of semaphores.
        pub semaphores: Reading<Partial<SemaphoreSet>>,
        /// Message queues.
        pub queues: Reading<Partial<MessageQueue>>,
        /// Message queues of POSIX (mq_overview(7)). Absent where their file system is mounted nowhere.
        pub posix_queues: Lazy<u64>,
    }
}

record! {
    /// A segment of shared memory.
    #[derive(Clone, PartialEq)]
    pub struct Segment {
        /// Its number, by which ipcrm(1) removes it.
        pub id: u32,
        /// Size, in bytes.
        pub size_bytes: u64,
        /// Processes that have it attached; more where one has it several times.
        pub attached: u64,
        /// The process that made it; it need not be there any more.
        pub creator_pid: u32,
        /// Owner.
        pub uid: u32,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A set of semaphores.
    #[derive(Clone, PartialEq)]
    pub struct SemaphoreSet {
        /// Its number, by which ipcrm(1) removes it.
        pub id: u32,
        /// Semaphores in it.
        pub count: u64,
        /// Owner.
        pub uid: u32,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A message queue.
    #[derive(Clone, PartialEq)]
    pub struct MessageQueue {
        /// Its number, by which ipcrm(1) removes it.
        pub id: u32,
        /// Bytes of the messages in it.
        pub bytes: u64,
        /// Messages in it.
        pub messages: u64,
        /// Owner.
        pub uid: u32,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Ipc {
    const NAME: &'static str = "ipc";
    const READS: &'static [&'static str] = &[SHM, SEM, MSG, MOUNTS, "/dev/mqueue"];

    fn collect(host: &Host) -> Reading<Self> {
        let found = Self {
            segments: table(host, SHM, |row| {
                Some(Segment {
                    id: row.number("shmid")?,
                    size_bytes: row.number("size")?,
                    attached: row.number("nattch")?,
                    creator_pid: row.number("cpid")?,
                    uid: row.number("uid")?,
                    at: row.at(),
                })
            }),
            semaphores: table(host, SEM, |row| {
                let (id, count, uid) = (row.number("semid")?, row.number("nsems")?, row.number("uid")?);
                Some(SemaphoreSet { id, count, uid, at: row.at() })
            }),
            queues: table(host, MSG, |row| {
                let (id, bytes, messages) =
                    (row.number("msqid")?, row.number("cbytes")?, row.number("qnum")?);
                Some(MessageQueue { id, bytes, messages, uid: row.number("uid")?, at: row.at() })
            }),
            posix_queues: {
                let host = host.clone();
                Lazy::new(move || posix_queues(&host))
            },
        };
        match (&found.segments, &found.semaphores, &found.queues) {
            (Err(Missing::Absent), Err(Missing::Absent), Err(Missing::Absent)) => Err(Missing::Absent),
            _ => Ok(found),
        }
    }
}

/// Each queue is a name in a file system of its own type.
fn posix_queues(host: &Host) -> Reading<u64> {
    let mounts = mountinfo(&host.read_text(MOUNTS)?).0;
    let mount = mounts.iter().find(|mount| mount.fs_type == "mqueue").ok_or(Missing::Absent)?;
    Ok(host.source.list(Path::new(&mount.mount_point))?.len() as u64)
}

/// A line of one of the tables, by the names that its first line gives to the columns.
struct Row<'a> {
    path: &'a str,
    line: u32,
    names: &'a [&'a str],
    words: Vec<&'a str>,
}

impl Row<'_> {
    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        let column = self.names.iter().position(|n| *n == name)?;
        self.words.get(column)?.parse().ok()
    }

    fn at(&self) -> At {
        At::line(self.path, self.line)
    }
}

fn table<T>(host: &Host, path: &str, item: impl Fn(&Row<'_>) -> Option<T>) -> Reading<Partial<T>> {
    let text = host.read_text(path)?;
    let mut lines = (1..).zip(text.lines());
    let names: Vec<_> =
        lines.next().map(|(_, line)| line.split_ascii_whitespace().collect()).unwrap_or_default();
    if names.first() != Some(&"key") {
        return Err(Missing::garbled(path, "does not begin with the names of its columns"));
    }
    let mut found = Partial::default();
    for (line, text) in lines {
        let row = Row { path, line, names: &names, words: text.split_ascii_whitespace().collect() };
        found.add(item(&row).map(Some).ok_or_else(|| {
            let reason = Reason::Garbled(format!("line {line} is not understood"));
            Missing::Unreadable(Unreadable { path: path.into(), reason })
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Ipc> {
        Ipc::collect(&Host::new(files.clone(), Target::live()))
    }

    fn database() -> Files {
        let mut files = Files::new();
        files.file(
            SHM,
            "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n\
             \x20  5432001          0   600              56131584  1204  1310      6    26    26    26    26 1700000000 1700000000 1700000000               4194304                     0\n\
             -12345678      32769  1600  18446744073709551615     1     2      0     0     0     0     0          0          0          0                     0                     0\n",
        );
        files.file(SEM, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n         0          3   600         17    48    48    48    48          0 1700000000\n");
        files.file(MSG, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n         0          4   600         30          2    48    48    7    48          0 1700000000 0 0 0\n");
        files
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let found = collect(&database()).unwrap();
        let segments = found.segments.unwrap().items;
        assert_eq!((segments[0].id, segments[0].size_bytes, segments[0].attached), (0, 56_131_584, 6));
        assert_eq!((segments[0].creator_pid, segments[0].uid, segments[0].at.line), (1204, 26, Some(2)));
        assert_eq!((segments[1].id, segments[1].size_bytes), (32_769, u64::MAX));
        let sets = found.semaphores.unwrap().items;
        assert_eq!((sets[0].id, sets[0].count, sets[0].uid), (3, 17, 48));
        let queues = found.queues.unwrap().items;
        assert_eq!((queues[0].id, queues[0].bytes, queues[0].messages, queues[0].uid), (4, 30, 2, 7));
    }

    #[test]
    fn empty_tables_are_no_items_and_no_tables_no_fact() {
        let mut files = Files::new();
        assert_eq!(collect(&files).map(|_| ()), Err(Missing::Absent));
        files.file(SEM, "       key      semid perms      nsems   uid\n");
        let found = collect(&files).unwrap();
        assert_eq!(found.semaphores.unwrap().items, []);
        assert_eq!(found.segments, Err(Missing::Absent));
    }

    #[test]
    fn queues_of_posix_are_files_where_they_are_mounted() {
        let mut files = database();
        assert_eq!(collect(&files).unwrap().posix_queues.get(), Err(Missing::Absent));
        files.file("/dev/mqueue/jobs", "QSIZE:0\n").file("/dev/mqueue/log", "QSIZE:5\n");
        files.file(MOUNTS, "22 1 0:21 / /proc rw - proc proc rw\n");
        assert_eq!(collect(&files).unwrap().posix_queues.get(), Err(Missing::Absent));
        files.file(MOUNTS, "30 22 0:19 / /dev/mqueue rw - mqueue mqueue rw\n");
        assert_eq!(collect(&files).unwrap().posix_queues.get(), Ok(&2));
    }

    #[test]
    fn what_is_not_understood_is_unread() {
        for text in ["", "\n", "0 0 0\n", "\0\u{fffd}"] {
            let mut files = database();
            files.file(SEM, text);
            assert!(matches!(collect(&files).unwrap().semaphores, Err(Missing::Unreadable(_))), "{text:?}");
        }
        let mut files = database();
        files.file(SEM, "key semid perms nsems uid\n0 3 600\n0 4 600 1 0\n0 x 600 1 0\n");
        let sets = collect(&files).unwrap().semaphores.unwrap();
        assert_eq!((sets.items.len(), sets.unread.len()), (1, 2));
    }
}
