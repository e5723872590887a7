//! The whole program beside a bare one that makes the same reads, and the parts of a run.
//!
//! `cargo bench --bench whole_run` vets this host. First every look-up of a run is written down; then the built program and
//! a bare one (this file, started again) that does these look-ups and nothing else are run in turn, as whole processes. The
//! ratio is what rules, facts and report cost on top of the reads themselves.
//!
//! `HOSTVET_BENCH_PROCESSES=2000` first makes a host of it that has something to look at: so many processes more, and
//! 99 000 file descriptors in five others.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use hostvet::engine::{Library, Rule, judge, judge_all};
use hostvet::fact::Facts;
use hostvet::source::{Entry, Host, Live, Question, Reading, Source, Space, Stat, Target};
use std::io::{BufRead, BufReader, PipeWriter, Read, Write, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const RUNS: usize = 40;

/// How many of the slowest rules are named.
const SHOWN: usize = 15;

/// The live host, writing down what is asked of it.
#[derive(Debug)]
struct Recorder(Arc<Mutex<Vec<(char, PathBuf)>>>);

impl Recorder {
    fn note(&self, what: char, path: &Path) {
        self.0.lock().unwrap().push((what, path.to_path_buf()));
    }
}

impl Source for Recorder {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        self.note('r', path);
        Live.read(path, cap)
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        self.note('r', path);
        Live.read_at(path, offset, length)
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        self.note('l', path);
        Live.list(path)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        self.note('s', path);
        Live.stat(path)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.note('t', path);
        Live.lstat(path)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        self.note('k', path);
        Live.read_link(path)
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.note('v', path);
        Live.statvfs(path)
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        match question {
            Question::ImageConfig | Question::BlockDevices => {}
            Question::TcpSockets { states, .. } => self.note('q', Path::new(&states.to_string())),
            // One exchange over a socket, which the bare program leaves out.
            Question::FailedUnits => {}
        }
        Live.ask(question)
    }
}

/// What the bare program does: the look-ups of the list, results thrown away.
fn bare(list: &str) {
    let mut buffer = vec![0; 64 << 10];
    for line in list.lines() {
        let (what, path) = line.split_at(1);
        match what {
            "r" => {
                use std::os::unix::fs::OpenOptionsExt;
                // As hostvet opens them: at its end /dev/kmsg would wait for the next message.
                let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
                if let Ok(mut file) = std::fs::File::options().read(true).custom_flags(flags).open(path) {
                    while file.read(&mut buffer).is_ok_and(|n| n > 0) {}
                }
            }
            "l" => drop(std::fs::read_dir(path).map(Iterator::count)),
            "s" => drop(std::fs::metadata(path)),
            "t" => drop(std::fs::symlink_metadata(path)),
            "v" => drop(nix::sys::statvfs::statvfs(path)),
            "q" => drop(path.parse().map(|states| Live.ask(Question::TcpSockets { states, info: false }))),
            _ => drop(std::fs::read_link(path)),
        }
    }
}

/// Processes that wait for the end of this one.
struct Load {
    processes: Vec<Child>,
    end: Option<PipeWriter>,
}

/// Descriptors of each process that has many: an ordinary user may often have 20 000 at the most.
const DESCRIPTORS: usize = 19_800;

impl Load {
    fn new(processes: usize) -> Self {
        let (wait, end) = pipe().unwrap();
        let spawn = |program: &mut Command| {
            program.stdin(wait.try_clone().unwrap()).stdout(Stdio::piped()).spawn().unwrap()
        };
        let mut load: Vec<Child> = (0..5)
            .map(|_| {
                let script = format!("ulimit -n {} && exec \"$0\" --hold", DESCRIPTORS + 100);
                let mut holder =
                    spawn(Command::new("sh").args(["-c", &script]).arg(std::env::current_exe().unwrap()));
                let mut line = String::new();
                BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
                assert_eq!(line, "ready\n", "cannot have {DESCRIPTORS} descriptors: see `ulimit -Hn`");
                holder
            })
            .collect();
        load.extend((0..processes).map(|_| {
            let mut waiter = spawn(&mut Command::new("cat"));
            waiter.stdout = None;
            waiter
        }));
        Self { processes: load, end: Some(end) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end = None;
        self.processes.iter_mut().for_each(|process| drop(process.wait()));
    }
}

/// What a process does that holds descriptors.
fn hold() {
    let held: Vec<_> = (0..DESCRIPTORS).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
    println!("ready");
    drop(std::io::stdin().read(&mut [0]));
    drop(held);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn time(mut run: impl FnMut()) -> Duration {
    median(
        (0..RUNS)
            .map(|_| {
                let start = Instant::now();
                run();
                start.elapsed()
            })
            .collect(),
    )
}

fn main() {
    let args: Vec<_> = std::env::args().collect();
    if let [_, flag, list] = &args[..]
        && flag == "--bare"
    {
        bare(&std::fs::read_to_string(list).unwrap());
        return;
    }

    if args.get(1).is_some_and(|flag| flag == "--hold") {
        return hold();
    }
    let processes = std::env::var("HOSTVET_BENCH_PROCESSES").ok().map(|n| n.parse().unwrap());
    let load = processes.map(Load::new);

    let reads = Arc::new(Mutex::new(Vec::new()));
    let (rules, _) = Library::embedded().compile(&Default::default());
    let facts = Facts::new(Host::new(Recorder(reads.clone()), Target::live()));
    rules.iter().for_each(|rule| drop(judge(rule, &facts)));
    let reads = reads.lock().unwrap();
    let list = std::env::temp_dir().join(format!("hostvet-bench-{}", std::process::id()));
    let mut file = std::fs::File::create(&list).unwrap();
    for (what, path) in reads.iter().filter(|(_, path)| !path.to_string_lossy().contains('\n')) {
        writeln!(file, "{what}{}", path.display()).unwrap();
    }
    drop(file);

    let every: Vec<&Rule> = rules.iter().collect();
    println!("{} rules, {} look-ups, medians of {RUNS} runs", rules.len(), reads.len());
    let compile = time(|| drop(Library::embedded().compile(&Default::default())));
    println!("read and check all rules         {compile:>12.2?}");
    let vet = time(|| {
        let facts = Facts::new(Host::new(Live, Target::live()));
        drop(judge_all(&every, &facts));
    });
    println!("facts and judgement, in process  {vet:>12.2?}");
    // Who asks a fact first pays for it.
    let mut shares: Vec<(Duration, &str)> = every.iter().map(|r| (Duration::MAX, &*r.about.id)).collect();
    for _ in 0..RUNS {
        let facts = Facts::new(Host::new(Live, Target::live()));
        for (share, rule) in shares.iter_mut().zip(&every) {
            let start = Instant::now();
            drop(judge(rule, &facts));
            share.0 = share.0.min(start.elapsed());
        }
    }
    shares.sort_by(|a, b| b.cmp(a));
    println!(
        "one rule after the other          {:>12.2?}, of which",
        shares.iter().map(|s| s.0).sum::<Duration>()
    );
    shares.iter().take(SHOWN).for_each(|(share, id)| println!("  {id:<30} {share:>12.2?}"));
    let spawn = |program: &Path, args: &[&str]| {
        Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    };
    let me = std::env::current_exe().unwrap();
    let hostvet = Path::new(env!("CARGO_BIN_EXE_hostvet"));
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let start = Instant::now();
        spawn(hostvet, &["check"]);
        whole.push(start.elapsed());
        let start = Instant::now();
        spawn(&me, &["--bare", list.to_str().unwrap()]);
        bare.push(start.elapsed());
    }
    let (whole, bare) = (median(whole), median(bare));
    println!("hostvet check, whole process     {whole:>12.2?}");
    println!("the bare reads, whole process    {bare:>12.2?}");
    println!("ratio                            {:>11.2}x", whole.as_secs_f64() / bare.as_secs_f64());
    std::fs::remove_file(&list).unwrap();
    drop(load);
}
