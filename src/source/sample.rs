//! Two readings of the kernel's counters, so that facts can tell how fast they rise.

use super::{Entry, Files, Host, Missing, Question, Reading, Source, Space, Stat, TEXT_CAP, Tail, text};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The first of two readings: the counters as they were a while before.
#[derive(Clone, Debug)]
pub struct Earlier {
    source: Arc<dyn Source>,
    between: Duration,
}

impl Earlier {
    /// What was read this long before the rest.
    pub fn new(source: impl Source + 'static, between: Duration) -> Self {
        Self { source: Arc::new(source), between }
    }

    /// The same, of which another source gives the answers.
    pub(super) fn of_source(&self, source: Arc<dyn Source>) -> Self {
        Self { source, between: self.between }
    }

    /// What was read then.
    pub(super) fn source(&self) -> Arc<dyn Source> {
        self.source.clone()
    }

    /// The time between the two readings.
    pub(super) fn between(&self) -> Duration {
        self.between
    }

    /// The time between the two readings, in seconds.
    pub fn seconds(&self) -> f64 {
        self.between.as_secs_f64()
    }

    /// The text of the file at `path` as it was; see [`Host::read_text`]. Absent if it was not read then.
    pub fn read_text(&self, path: &str) -> Reading<String> {
        self.source.read(Path::new(path), TEXT_CAP).map(text)
    }

    /// How much a counter has risen per second; none if it has fallen, as it was reset or has wrapped around.
    pub fn per_second(&self, before: u64, now: u64) -> Option<f64> {
        let risen = now.checked_sub(before)?;
        (!self.between.is_zero()).then(|| risen as f64 / self.seconds())
    }
}

/// Processes whose counters are read twice at most; there is no earlier reading of further ones.
const MOST_PROCESSES: usize = 100_000;

impl Host {
    /// This host, with the files at these paths read twice and all else when it is asked for. `PID` in a path stands
    /// for every process.
    ///
    /// The second reading is held as well, and facts are gathered from it: what is gathered late would else have
    /// counted for longer. Both readings take the files in the same order, so that nearly the same time lies between the two
    /// of each: `wait`, or as long as one reading takes if that is more.
    pub fn sampled(self, counters: &[&str], wait: Duration) -> Self {
        let start = Instant::now();
        let earlier = snapshot(&*self.source, counters);
        thread::sleep(wait.saturating_sub(start.elapsed()));
        let between = start.elapsed();
        let counters = snapshot(&*self.source, counters);
        Self { source: Arc::new(Held { counters, rest: self.source }), ..self }
            .with_earlier(Earlier::new(earlier, between))
    }

    /// This host, with what its counters were a while before.
    pub fn with_earlier(self, earlier: Earlier) -> Self {
        Self { earlier: Some(Arc::new(earlier)), ..self }
    }
}

fn snapshot(source: &dyn Source, paths: &[&str]) -> Files {
    let mut files = Files::new();
    let (of_processes, others): (Vec<&str>, Vec<&str>) =
        paths.iter().partition(|path| path.contains("/PID/"));
    for path in others {
        keep(source, Path::new(path), &mut files);
    }
    if of_processes.is_empty() {
        return files;
    }
    let entries = source.list(Path::new("/proc")).unwrap_or_default();
    let pids = entries.iter().filter_map(|entry| entry.name.to_str()?.parse::<u32>().ok());
    for pid in pids.take(MOST_PROCESSES) {
        for path in &of_processes {
            keep(source, &PathBuf::from(path.replacen("PID", &pid.to_string(), 1)), &mut files);
        }
    }
    files
}

fn keep(source: &dyn Source, path: &Path, files: &mut Files) {
    match source.read(path, TEXT_CAP) {
        Ok(bytes) => {
            files.file(path, bytes);
        }
        Err(Missing::Absent) => {}
        Err(Missing::Unreadable(why)) => {
            files.unreadable(path, why.reason);
        }
    }
}

/// A source of which some files are held as they were at one moment.
#[derive(Debug)]
struct Held {
    counters: Files,
    rest: Arc<dyn Source>,
}

impl Source for Held {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        match self.counters.read(path, cap) {
            Err(Missing::Absent) => self.rest.read(path, cap),
            held => held,
        }
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        match self.counters.read_tail(path, cap) {
            Err(Missing::Absent) => self.rest.read_tail(path, cap),
            held => held,
        }
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        match self.counters.stream(path) {
            Err(Missing::Absent) => self.rest.stream(path),
            held => held,
        }
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        match self.counters.read_at(path, offset, length) {
            Err(Missing::Absent) => self.rest.read_at(path, offset, length),
            held => held,
        }
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        self.rest.list(path)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        self.rest.stat(path)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.rest.lstat(path)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        self.rest.read_link(path)
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.rest.statvfs(path)
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        self.rest.ask(question)
    }

    fn bytes_read(&self) -> Option<u64> {
        self.rest.bytes_read()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Reason, Target, Unreadable};
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A tree in which a counter rises with every look, and process 9 may not be looked into.
    #[derive(Debug, Default)]
    struct Rising(AtomicU64);

    impl Source for Rising {
        fn read(&self, path: &Path, _: u64) -> Reading<Vec<u8>> {
            match path.to_str().unwrap() {
                "/proc/9/io" => Err(Missing::unreadable(path, Reason::Denied)),
                "/proc/stat" | "/proc/7/io" | "/proc/other" => {
                    Ok(self.0.fetch_add(1, Ordering::Relaxed).to_string().into_bytes())
                }
                _ => Err(Missing::Absent),
            }
        }

        fn list(&self, _: &Path) -> Reading<Vec<Entry>> {
            let entry = |name: &str| Entry { name: name.into(), kind: super::super::FileKind::Directory };
            Ok(["7", "9", "stat"].map(entry).to_vec())
        }

        fn stat(&self, _: &Path) -> Reading<Stat> {
            Err(Missing::Absent)
        }

        fn lstat(&self, path: &Path) -> Reading<Stat> {
            self.stat(path)
        }

        fn read_link(&self, _: &Path) -> Reading<PathBuf> {
            Err(Missing::Absent)
        }

        fn statvfs(&self, _: &Path) -> Reading<Space> {
            Err(Missing::Absent)
        }
    }

    #[test]
    fn counters_are_read_twice_and_then_held() {
        let host = Host::new(Rising::default(), Target::live());
        let host = host.sampled(&["/proc/PID/io", "/proc/stat", "/proc/none"], Duration::ZERO);
        let earlier = host.earlier.clone().unwrap();
        assert_eq!(earlier.read_text("/proc/stat"), Ok("0".into()));
        assert_eq!(earlier.read_text("/proc/7/io"), Ok("1".into()));
        for _ in 0..2 {
            assert_eq!(host.read_text("/proc/stat"), Ok("2".into()));
            assert_eq!(host.read_text("/proc/7/io"), Ok("3".into()));
        }
        assert_eq!(host.read_text("/proc/other"), Ok("4".into()));
        assert_eq!(earlier.read_text("/proc/other"), Err(Missing::Absent));
        assert_eq!(host.read_text("/proc/none"), Err(Missing::Absent));
        assert!(matches!(
            earlier.read_text("/proc/9/io"),
            Err(Missing::Unreadable(Unreadable { reason: Reason::Denied, .. }))
        ));
    }

    #[test]
    fn what_is_no_counter_is_asked_for_as_ever() {
        let question = Question::TcpSockets { states: 1 << 10, info: false };
        let mut files = Files::new();
        files.file("/proc/stat", "cpu 1 2 3 4\n").file("/etc/fstab", "x").link("/etc/mtab", "/proc/mounts");
        files.answer(question, Ok(vec![7])).size("/proc/7/fd", 9);
        let host = Host::new(files, Target::live()).sampled(&["/proc/stat"], Duration::ZERO);
        assert_eq!(host.source.ask(question), Ok(vec![7]));
        assert_eq!(host.source.read_link(Path::new("/etc/mtab")), Ok("/proc/mounts".into()));
        assert_eq!(host.source.stat(Path::new("/proc/7/fd")).map(|stat| stat.size), Ok(9));
        assert_eq!(
            (host.names("/etc"), host.read_text("/etc/fstab")),
            (Ok(vec!["fstab".into(), "mtab".into()]), Ok("x".into()))
        );
        assert!(
            host.source.lstat(Path::new("/etc/mtab")).is_ok() && host.source.statvfs(Path::new("/")).is_err()
        );
    }

    #[test]
    fn what_fell_or_took_no_time_has_no_rate() {
        let earlier = Earlier::new(Files::new(), Duration::from_secs(4));
        assert_eq!((earlier.per_second(10, 20), earlier.per_second(20, 10)), (Some(2.5), None));
        assert_eq!(Earlier::new(Files::new(), Duration::ZERO).per_second(0, 5), None);
    }
}
