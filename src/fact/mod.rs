//! Bytes to typed values, one file per fact.
//!
//! A fact is a documented [`record!`](crate::record) struct, the paths it reads, a pure `parse`, and its tests. A fact opens nothing
//! itself (it asks the [`Host`]'s source), reads no other fact, and does not decide what is good or bad.
//!
//! Whether a file is there, its mode, its owner and its lines are asked of [`path`], without a fact of its own.
//!
//! To add one: a file here, a line in the list below (sorted by name; a file that is not listed is not compiled), and the bytes in
//! its tests. `swaps.rs` is a short one to copy; [`record!`](crate::record) lists the types that fields may have, [`Host`] how to
//! read. The struct is named as the fact (`LoadAvg` for `loadavg`, any capitals), and no two records of all facts have the same
//! name. Afterwards `HOSTVET_WRITE_DOCS=1 cargo test --test rules` writes `docs/facts.md` anew.
//!
//! What holds for all of them:
//!
//! - What is not there is [`Missing::Absent`], what may not be read or makes no sense is unreadable: `?` passes both on, and
//!   [`Optional`](crate::source::Optional) goes on where something is absent. Nothing that was not read has a default.
//! - Lines that are not understood are kept in a list of their own, never passed over. Items have an `at`, so that a finding can
//!   name the line.
//! - A list from several files, of which one may be denied, is a [`Partial`](crate::model::Partial). What costs a read for each
//!   item is a [`Lazy`](crate::model::Lazy), and what takes two readings a [`Sampled`](crate::model::Sampled).
//! - Names are those of the kernel or the man page, with the unit where these have none: `free_kib`, `used_percent`.
//! - A text may be anything: it is lossy UTF-8, and no byte of it may make `parse` panic, or take more than its size.
//! - What `collect` reads comes from [`Files`](crate::source::Files) in its tests.

pub use bootloader::started_by_default;

use crate::model::{Record, Shape, Shaped, View};
use crate::source::{Host, Missing, Reading, Reason};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

facts! {
    accounts::Accounts,
    apparmor::Apparmor,
    autostart::Autostart,
    block::Block,
    bootloader::Bootloader,
    cgroups::Cgroups,
    clock::Clock,
    clocksource::Clocksource,
    cmdline::Cmdline,
    conntrack::Conntrack,
    container_image::ContainerImage,
    cpu::Cpu,
    cpustat::Cpustat,
    dentry::Dentry,
    disks::Disks,
    edac::Edac,
    elf::Elf,
    empty_files::EmptyFiles,
    files::Files,
    filesystems::Filesystems,
    firewall::Firewall,
    fs_errors::FsErrors,
    fstab::Fstab,
    grub_settings::GrubSettings,
    hosts::Hosts,
    hugepages::Hugepages,
    ifcfg::Ifcfg,
    initramfs::Initramfs,
    inittab::Inittab,
    interfaces::Interfaces,
    interrupts::Interrupts,
    ipc::Ipc,
    java::Java,
    kernel::Kernel,
    kernels::Kernels,
    key_users::KeyUsers,
    klog::Klog,
    ld_preload::LdPreload,
    limits::Limits,
    load::Load,
    login_defs::LoginDefs,
    lvm::Lvm,
    mdraid::Mdraid,
    memory::Memory,
    mounts::Mounts,
    mysql::Mysql,
    neighbours::Neighbours,
    netstat::Netstat,
    nginx::Nginx,
    nsswitch::Nsswitch,
    os::Os,
    packages::Packages,
    pam::Pam,
    path::Path,
    pressure::Pressure,
    process::Process,
    profiles::Profiles,
    prometheus::Prometheus,
    rc_local::RcLocal,
    redis::Redis,
    resolv::Resolv,
    root_device::RootDevice,
    routes::Routes,
    sampling::Sampling,
    secrets::Secrets,
    selinux::Selinux,
    slab::Slab,
    snmp::Snmp,
    sockets::Sockets,
    softirqs::Softirqs,
    softnet::Softnet,
    sshd::Sshd,
    sudoers::Sudoers,
    supervisord::Supervisord,
    swaps::Swaps,
    sysctl::Sysctl,
    system_accounts::SystemAccounts,
    systemd::Systemd,
    target::Target,
    tcp::Tcp,
    thp::Thp,
    tomcat::Tomcat,
    uptime::Uptime,
    vmstat::Vmstat,
    zones::Zones,
}

/// A fact: a record with a name of one word, gathered from a host.
pub trait Fact: Shaped + Sized + 'static {
    /// The word for it in rules; also the name of its file.
    const NAME: &'static str;

    /// The paths it reads, for people; `PID` and `*` stand for many.
    const READS: &'static [&'static str];

    /// Those of them that hold counters of which it tells how fast they rise. They are read twice where the user wants
    /// that, before anything else: see [`Host::sampled`].
    const COUNTERS: &'static [&'static str] = &[];

    /// Whether to gather it, or what is in it, may take longer than all other facts together. Rules that ask it begin first.
    const SLOW: bool = false;

    /// Gathers it. Absent: this system has no such thing at all.
    fn collect(host: &Host) -> Reading<Self>;
}

/// What is known of a kind of fact, without a host.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The word for it in rules.
    pub name: &'static str,
    /// The paths it reads, for people.
    pub reads: &'static [&'static str],
    /// Those that are read twice for what takes two readings.
    pub counters: &'static [&'static str],
    /// Whether it may take longer than all others together.
    pub slow: bool,
    /// What a rule may ask of it.
    pub shape: fn() -> &'static Shape,
    collect: fn(&Host) -> Reading<Box<dyn Record>>,
}

impl Kind {
    const fn of<F: Fact>() -> Self {
        Self {
            name: F::NAME,
            reads: F::READS,
            counters: F::COUNTERS,
            slow: F::SLOW,
            shape: F::static_shape,
            collect: collect::<F>,
        }
    }
}

fn collect<F: Fact>(host: &Host) -> Reading<Box<dyn Record>> {
    F::collect(host).map(|fact| Box::new(fact) as Box<dyn Record>)
}

/// Every kind of fact, sorted by name.
pub fn kinds() -> &'static [Kind] {
    KINDS
}

/// The files that all facts together want read twice, each once: what [`Host::sampled`] takes.
pub fn counters() -> Vec<&'static str> {
    KINDS.iter().flat_map(|kind| kind.counters).copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The position of the fact of this name in [`kinds`].
pub fn position(name: &str) -> Option<usize> {
    KINDS.binary_search_by(|kind| kind.name.cmp(name)).ok()
}

/// The facts of one host, each gathered when it is first asked for, and once.
#[derive(Debug)]
pub struct Facts {
    host: Host,
    found: Vec<OnceLock<Reading<Box<dyn Record>>>>,
}

impl Facts {
    /// The facts of this host; nothing is read yet.
    pub fn new(host: Host) -> Self {
        Self { host: host.afresh(), found: KINDS.iter().map(|_| OnceLock::new()).collect() }
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What the host's operating system calls itself, if that is known: `os.pretty_name`.
    pub fn system(&self) -> Option<String> {
        let os = self.get(position("os")?).ok()?;
        let (field, _) = os.shape().field("pretty_name")?;
        match os.get(field) {
            Ok(View::Str(name)) => Some(name.into_owned()),
            _ => None,
        }
    }

    /// The fact at this position of [`kinds`].
    ///
    /// A panic while it is gathered is a bug of hostvet; it makes this fact unreadable, not the run.
    pub fn get(&self, position: usize) -> Result<&dyn Record, Missing> {
        let kind = &KINDS[position];
        let found = self.found[position].get_or_init(|| {
            catch_unwind(AssertUnwindSafe(|| (kind.collect)(&self.host))).unwrap_or_else(|_| {
                let what =
                    format!("hostvet failed on {}; please report it with that file", kind.reads.join(", "));
                Err(Missing::unreadable(kind.name, Reason::NotRead(what)))
            })
        });
        found.as_deref().map_err(Clone::clone)
    }
}

/// Declares the files of this folder and registers the fact each defines, in the order of their names.
macro_rules! facts {
    ($($file:ident :: $fact:ident),* $(,)?) => {
        $( pub mod $file; )*
        const KINDS: &[Kind] = &[$( Kind::of::<$file::$fact>() ),*];
    };
}
use facts;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Type;

    /// `facts --schema` names each type of record once.
    #[test]
    fn no_two_records_have_the_same_name() {
        fn walk(ty: Type, seen: &mut Vec<&'static Shape>) {
            match ty {
                Type::List(of) | Type::Map(of) => walk(*of, seen),
                Type::Record(shape) if !seen.iter().any(|s| std::ptr::eq(*s, shape())) => {
                    seen.push(shape());
                    shape().fields.iter().for_each(|field| walk(field.ty, seen));
                }
                _ => {}
            }
        }
        let mut seen = Vec::new();
        KINDS.iter().for_each(|kind| walk(Type::Record(kind.shape), &mut seen));
        let mut names: Vec<_> = seen.iter().map(|shape| shape.name).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn every_fact_is_one_word_in_order_and_documented() {
        assert!(KINDS.is_sorted_by(|a, b| a.name < b.name), "the list of facts is not sorted");
        for kind in KINDS {
            let shape = (kind.shape)();
            assert_eq!(shape.name.to_lowercase(), kind.name.replace('_', ""), "type and rule name differ");
            assert!(shape.doc().lines().count() > 2, "{}: show real lines and cite the source", kind.name);
            assert!(!kind.reads.is_empty(), "{}: reads nothing", kind.name);
            let counters = kind.counters.iter().all(|path| kind.reads.contains(path));
            assert!(counters, "{}: has counters in files that it does not read", kind.name);
            for field in &shape.fields {
                assert!(!field.doc().is_empty(), "{}.{} is not documented", kind.name, field.name);
            }
        }
    }
}
