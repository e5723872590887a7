//! The files of an interface in sysfs, each read when it is asked for.

use super::printed::{Device, Link, Printed};
use super::{DIRECTORY, Interface, InterfaceFlags, RxQueue, TxQueue};
use crate::format::cpu_mask;
use crate::model::{Lazy, Located};
use crate::source::{At, Host, Missing, Optional, Reading, Reason, resolve};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn interface(host: &Host, name: &str, printed: &Arc<Printed>) -> Interface {
    let folder = Folder {
        host: host.clone(),
        path: format!("{DIRECTORY}/{name}"),
        name: name.to_owned(),
        printed: printed.clone(),
    };
    Interface {
        name: name.to_owned(),
        operstate: folder.or_link(folder.lazy("operstate", |text| Some(text.to_owned())), |link| {
            Ok(link.operstate.clone())
        }),
        flags: folder.then("flags", |folder, file| {
            let path = folder.below(file);
            let text = folder.host.read_text(&path)?;
            flags(text.trim(), &path).ok_or_else(|| garbled(&path, text.trim()))
        }),
        hardware_type: folder.or_printed(folder.lazy("type", |text| text.parse().ok()), |printed, name| {
            printed.link(name)?.hardware_type.map(Ok)
        }),
        mtu: folder.or_link(folder.lazy("mtu", |text| text.parse().ok()), |link| Ok(link.mtu)),
        physical: folder.or_device(folder.then("device", Folder::has), |device| Some(Ok(device.physical))),
        wireless: folder.or_device(
            folder.then("wireless", |folder, file| Ok(folder.has(file)? || folder.has("phy80211")?)),
            |device| Some(Ok(device.wireless)),
        ),
        driver: folder.or_device(folder.then("device/driver", Folder::link), |device| {
            match device.physical {
                true => device.driver.clone().map(Ok),
                false => Some(Err(Missing::Absent)),
            }
        }),
        carrier: folder.or_link(
            folder.when_up("carrier", |text| match text {
                "0" => Some(Some(false)),
                "1" => Some(Some(true)),
                _ => None,
            }),
            |link| link.carrier.ok_or(Missing::Absent),
        ),
        carrier_changes: folder.lazy("carrier_changes", |text| text.parse().ok()),
        // -1, or that as an unsigned number, where it is not known.
        speed_mbit: folder.or_printed(
            folder.when_up("speed", |text| {
                let speed: i64 = text.parse().ok()?;
                Some(u32::try_from(speed).ok().filter(|speed| !matches!(*speed, 0 | u32::MAX)).map(u64::from))
            }),
            |printed, name| match printed.ethtool(name, "Speed")? {
                Ok(speed) => Some(Ok(speed.strip_suffix("mb/s")?.parse().ok()?)),
                Err(missing) => Some(Err(missing)),
            },
        ),
        duplex: folder
            .or_printed(folder.when_up("duplex", |text| Some(Some(text.to_owned()))), |printed, name| {
                printed.ethtool(name, "Duplex")
            }),
        master: folder
            .or_link(folder.then("master", Folder::link), |link| link.master.clone().ok_or(Missing::Absent)),
        rx_queues: folder.then("rx-", |folder, prefix| {
            let queues = folder.queues(prefix)?.into_iter().map(|(name, queue)| RxQueue {
                rps_cpus: queue.lazy("rps_cpus", cpu_mask::cpus),
                rps_flow_cnt: queue.lazy("rps_flow_cnt", |text| text.parse().ok()),
                name,
                at: At::file(queue.path),
            });
            Ok(queues.collect())
        }),
        tx_queues: folder.then("tx-", |folder, prefix| {
            let queues = folder.queues(prefix)?.into_iter().map(|(name, queue)| TxQueue {
                xps_cpus: queue.when_up("xps_cpus", |text| cpu_mask::cpus(text).map(Some)),
                name,
                at: At::file(queue.path),
            });
            Ok(queues.collect())
        }),
        statistics: folder.then("statistics", Folder::statistics),
        at: At::file(folder.path),
    }
}

fn flags(text: &str, path: &str) -> Option<InterfaceFlags> {
    let bits = u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()?;
    let has = |bit: u64| bits & bit != 0;
    Some(InterfaceFlags {
        bits,
        up: has(0x1),
        loopback: has(0x8),
        point_to_point: has(0x10),
        noarp: has(0x80),
        slave: has(0x800),
        at: At::file(path),
    })
}

fn garbled(path: &str, text: &str) -> Missing {
    Missing::garbled(path, format!("`{}` is not understood", text.chars().take(40).collect::<String>()))
}

/// A folder of sysfs.
#[derive(Clone)]
struct Folder {
    host: Host,
    path: String,
    /// The interface.
    name: String,
    printed: Arc<Printed>,
}

impl Folder {
    fn below(&self, file: &str) -> String {
        format!("{}/{file}", self.path)
    }

    /// A value that `read` will get from the file or folder of this name.
    fn then<T: 'static>(&self, file: &'static str, read: fn(&Self, &str) -> Reading<T>) -> Lazy<T> {
        let folder = self.clone();
        Lazy::new(move || read(&folder, file))
    }

    /// What the file of this name says.
    fn lazy<T: 'static>(&self, file: &'static str, parse: fn(&str) -> Option<T>) -> Lazy<T> {
        let folder = self.clone();
        Lazy::new(move || {
            let path = folder.below(file);
            let text = folder.host.read_text(&path)?;
            parse(text.trim()).ok_or_else(|| garbled(&path, text.trim()))
        })
    }

    /// The same of a file that answers EINVAL where the interface is down, and the like; absent then, and where it says
    /// that nothing is known.
    fn when_up<T: 'static>(&self, file: &'static str, parse: fn(&str) -> Option<Option<T>>) -> Lazy<T> {
        let folder = self.clone();
        Lazy::new(move || {
            let path = folder.below(file);
            let text = match folder.host.read_text(&path) {
                Err(Missing::Unreadable(why)) if matches!(why.reason, Reason::Io(_)) => {
                    return Err(Missing::Absent);
                }
                read => read?,
            };
            match text.trim() {
                "" => Err(Missing::Absent),
                text => parse(text).ok_or_else(|| garbled(&path, text))?.ok_or(Missing::Absent),
            }
        })
    }

    /// The value, or what was printed where that was not collected.
    fn or_printed<T: Clone + Send + Sync + 'static>(
        &self,
        value: Lazy<T>,
        printed: fn(&Printed, &str) -> Option<Reading<T>>,
    ) -> Lazy<T> {
        let folder = self.clone();
        Lazy::new(move || match value.get().cloned() {
            Err(missing) if missing.is_not_collected() => {
                printed(&folder.printed, &folder.name).unwrap_or(Err(missing))
            }
            value => value,
        })
    }

    /// The same of what `ip` printed.
    fn or_link<T: Clone + Send + Sync + 'static>(
        &self,
        value: Lazy<T>,
        link: fn(&Link) -> Reading<T>,
    ) -> Lazy<T> {
        let folder = self.clone();
        Lazy::new(move || match value.get().cloned() {
            Err(missing) if missing.is_not_collected() => {
                folder.printed.link(&folder.name).map_or(Err(missing), link)
            }
            value => value,
        })
    }

    /// The same of what udev knew.
    fn or_device<T: Clone + Send + Sync + 'static>(
        &self,
        value: Lazy<T>,
        device: fn(&Device) -> Option<Reading<T>>,
    ) -> Lazy<T> {
        let folder = self.clone();
        Lazy::new(move || match value.get().cloned() {
            Err(missing) if missing.is_not_collected() => {
                folder.printed.device(&folder.name).and_then(device).unwrap_or(Err(missing))
            }
            value => value,
        })
    }

    /// The path of what is called so, the links on the way to it followed.
    fn resolved(&self, file: &str) -> Reading<PathBuf> {
        resolve(&*self.host.source, Path::new(&self.below(file)), false)
    }

    fn has(&self, file: &str) -> Reading<bool> {
        // What a link leads to need not be in a tree that carries a part of /sys.
        let found = self.resolved(file).and_then(|path| self.host.source.lstat(&path));
        Ok(found.optional()?.is_some())
    }

    /// The last part of where a link leads.
    fn link(&self, file: &str) -> Reading<String> {
        let target = self.host.source.read_link(&self.resolved(file)?)?;
        let name = target.file_name().ok_or_else(|| garbled(&self.below(file), &target.to_string_lossy()))?;
        Ok(name.to_string_lossy().into_owned())
    }

    /// The queues whose names begin so, by their numbers.
    fn queues(&self, prefix: &str) -> Reading<Vec<(String, Self)>> {
        let path = self.below("queues");
        let numbered = self.host.names(&path)?.into_iter().filter_map(|name| {
            let number: u32 = name.strip_prefix(prefix)?.parse().ok()?;
            Some((number, name))
        });
        let mut queues: Vec<_> = numbered.collect();
        queues.sort_unstable();
        let folders = queues.into_iter().map(|(_, name)| {
            let path = format!("{path}/{name}");
            (name, Self { path, ..self.clone() })
        });
        Ok(folders.collect())
    }

    fn statistics(&self, file: &str) -> Reading<BTreeMap<String, Lazy<Located<u64>>>> {
        let directory = self.below(file);
        let counters = self.host.names(&directory)?.into_iter().map(|name| {
            let (host, path) = (self.host.clone(), format!("{directory}/{name}"));
            let counter = Lazy::new(move || {
                let text = host.read_text(&path)?;
                let value = text.trim().parse().map_err(|_| garbled(&path, text.trim()))?;
                Ok(Located { value, at: At::file(path.as_str()) })
            });
            (name, counter)
        });
        Ok(counters.collect())
    }
}
