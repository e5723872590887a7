use super::*;
use crate::source::{Files, Missing};

fn collect(files: &Files, kind: TargetKind, assume: &str) -> Target {
    let assume = assume.parse().unwrap();
    let target = crate::source::Target { kind, assume, ..crate::source::Target::root("/srv/tree") };
    Target::collect(&Host::new(files.clone(), target)).unwrap()
}

fn live(files: &Files) -> Target {
    collect(files, TargetKind::Live, "")
}

fn firmware(vendor: &str, product: &str) -> Files {
    let mut files = Files::new();
    files.file("/sys/class/dmi/id/sys_vendor", format!("{vendor}\n"));
    files.file("/sys/class/dmi/id/product_name", format!("{product}\n"));
    files.file("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm\n");
    files
}

#[test]
fn a_target_says_what_it_was_called_with() {
    let target = collect(&Files::new(), TargetKind::Root, "cpus=4");
    assert_eq!((target.kind, target.name.as_str(), target.running), (Kind::Root, "/srv/tree", false));
    assert_eq!(target.assumed.as_deref(), Some("cpus=4"));
    assert_eq!(live(&Files::new()).assumed, None);
    assert!(live(&Files::new()).running);
}

#[test]
fn a_copy_of_proc_is_a_running_kernel() {
    let mut files = Files::new();
    files.directory("/proc");
    assert!(!collect(&files, TargetKind::Root, "").running, "an empty /proc is a mount point");
    files.file("/proc/uptime", "1.0 1.0\n");
    assert!(collect(&files, TargetKind::Root, "").running);
}

#[test]
fn a_managers_mark_says_container() {
    for (path, text, manager) in [
        ("/run/systemd/container", "lxc\n", "lxc"),
        ("/.dockerenv", "", "docker"),
        ("/run/.containerenv", "", "podman"),
    ] {
        let mut files = Files::new();
        files.file(path, text);
        let target = collect(&files, TargetKind::Root, "");
        assert_eq!(target.container.get(), Ok(&true), "{path}");
        assert_eq!(target.container_manager.get().unwrap(), manager);
    }
}

#[test]
fn a_pid_namespace_of_its_own_is_a_container() {
    let mut files = Files::new();
    files.link("/proc/self/ns/pid", "pid:[4026532281]");
    assert_eq!(live(&files).container.get(), Ok(&true));
    assert_eq!(live(&files).container_manager.get(), Err(Missing::Absent));
    files.link("/proc/self/ns/pid", "pid:[4026531836]");
    assert_eq!(live(&files).container.get(), Ok(&false));
}

#[test]
fn a_machine_made_of_a_container_image_is_none_whatever_mark_is_left_in_it() {
    let mut files = Files::new();
    files.file("/.dockerenv", "");
    files.link("/proc/self/ns/pid", "pid:[4026531836]");
    files.link("/proc/self/ns/uts", "uts:[4026531838]");
    // docker run --pid=host: the mark decides.
    assert_eq!(live(&files).container.get(), Ok(&true));
    files.link("/proc/self/ns/ipc", "ipc:[4026531839]");
    assert_eq!(live(&files).container.get(), Ok(&false));
}

#[test]
fn a_denied_environment_is_not_no() {
    let mut files = Files::new();
    files.deny("/proc/1/environ");
    assert!(matches!(live(&files).container.get(), Err(Missing::Unreadable(_))));
    files.file("/proc/1/environ", "PATH=/bin\0container=podman\0");
    assert_eq!(live(&files).container.get(), Ok(&true));
    files.file("/proc/1/environ", "PATH=/bin\0mycontainer=1\0");
    assert_eq!(live(&files).container.get(), Ok(&false));
    assert_eq!(live(&Files::new()).container.get(), Ok(&false), "a sosreport has no such file");
}

#[test]
fn an_image_is_a_machines_and_a_container_image_a_containers() {
    assert_eq!(collect(&Files::new(), TargetKind::Image, "").container.get(), Ok(&false));
    assert_eq!(collect(&Files::new(), TargetKind::ContainerImage, "").container.get(), Ok(&true));
    let mut files = Files::new();
    files.deny("/run");
    assert!(matches!(collect(&files, TargetKind::Root, "").container.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn firmware_names_the_platform() {
    for (vendor, product, platform) in [
        ("Alibaba Cloud", "Alibaba Cloud ECS", Platform::Kvm),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", Platform::Kvm),
        ("Red Hat", "KVM", Platform::Kvm),
        ("Amazon EC2", "m5.large", Platform::Amazon),
        ("VMware, Inc.", "VMware7,1", Platform::Vmware),
        ("Microsoft Corporation", "Virtual Machine", Platform::Microsoft),
        ("innotek GmbH", "VirtualBox", Platform::Virtualbox),
        ("Xen", "HVM domU", Platform::Xen),
        ("Nobody", "Nothing", Platform::Other),
        ("", "", Platform::Other),
    ] {
        assert_eq!(live(&firmware(vendor, product)).platform.get(), Ok(&platform), "{vendor}, {product}");
    }
}

#[test]
fn xen_says_so_itself_whatever_the_firmware_says() {
    let mut files = firmware("Alibaba Cloud", "Alibaba Cloud ECS");
    files.file("/sys/hypervisor/type", "xen\n");
    assert_eq!(live(&files).platform.get(), Ok(&Platform::Xen));
}

#[test]
fn metal_is_what_has_no_hypervisor_flag() {
    let mut files = firmware("Microsoft Corporation", "Surface Book");
    files.file("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme lahf_lm\n");
    assert_eq!(live(&files).platform.get(), Ok(&Platform::Metal));
    files.file("/proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\n");
    assert_eq!(live(&files).platform.get(), Err(Missing::Absent), "other architectures do not tell");
    files.deny("/proc/cpuinfo");
    assert!(matches!(live(&files).platform.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn an_assumed_platform_stands_above_all() {
    let mut files = Files::new();
    files.deny("/sys");
    assert!(matches!(live(&files).platform.get(), Err(Missing::Unreadable(_))));
    let target = collect(&files, TargetKind::Image, "platform=kvm");
    assert_eq!(target.platform.get(), Ok(&Platform::Kvm));
    assert_eq!(collect(&Files::new(), TargetKind::Image, "").platform.get(), Err(Missing::Absent));
}

#[test]
fn owners_are_kept_where_passwd_is_roots() {
    let owned = |kind, path: &str, uid| {
        let mut files = Files::new();
        files.file(path, "").owner(path, uid, uid).unwrap();
        collect(&files, kind, "").owners_kept.get().copied()
    };
    assert_eq!(owned(TargetKind::Root, "/etc/passwd", 0), Ok(true));
    assert_eq!(owned(TargetKind::Root, "/etc/passwd", 1000), Ok(false));
    assert_eq!(owned(TargetKind::Live, "/etc/passwd", 1000), Ok(true));
    assert_eq!(owned(TargetKind::Image, "/etc", 501), Ok(false));
    assert_eq!(collect(&Files::new(), TargetKind::Root, "").owners_kept.get().copied(), Err(Missing::Absent));
}

fn image(files: &Files) -> Target {
    collect(files, TargetKind::Image, "")
}

#[test]
fn an_image_for_one_cloud_says_so() {
    for (path, text, platform, source) in [
        (
            "/etc/cloud/cloud.cfg",
            "users: [default]\ndatasource_list: [ Ec2, None ]\n",
            Platform::Amazon,
            ":2",
        ),
        (
            "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
            "datasource_list: [ VMware, OVF, None ]\n",
            Platform::Vmware,
            ":1",
        ),
        ("/etc/cloud/cloud.cfg.d/95-hetzner.cfg", "datasource_list:\n- Hetzner\n", Platform::Kvm, ":1"),
        ("/etc/cloud/ds-identify.cfg", "policy: enabled\ndatasource: Azure\n", Platform::Microsoft, ":2"),
        ("/boot/vmlinuz-6.8.0-1021-aws", "", Platform::Amazon, ""),
    ] {
        let mut files = Files::new();
        files.file(path, text);
        let target = image(&files);
        assert_eq!(target.platform.get(), Ok(&platform), "{path}");
        assert_eq!(target.platform_source.get(), Ok(&format!("{path}{source}")));
    }
}

#[test]
fn an_agent_of_a_cloud_tells_where_it_is_enabled() {
    let mut files = Files::new();
    files.file("/usr/lib/systemd/system/walinuxagent.service", "[Service]\nExecStart=/usr/sbin/waagent\n");
    assert_eq!(image(&files).platform.get(), Err(Missing::Absent), "it is there only");
    let link = "/etc/systemd/system/multi-user.target.wants/walinuxagent.service";
    files.link(link, "/usr/lib/systemd/system/walinuxagent.service");
    let target = image(&files);
    assert_eq!(target.platform.get(), Ok(&Platform::Microsoft));
    assert_eq!(target.platform_source.get().map(String::as_str), Ok("walinuxagent.service"));
}

#[test]
fn an_image_for_several_platforms_names_none() {
    let mut files = Files::new();
    files.file("/etc/cloud/cloud.cfg", "datasource_list: [ Azure ]\n");
    assert_eq!(image(&files).platform.get(), Ok(&Platform::Microsoft));
    files.file("/etc/cloud/cloud.cfg.d/10.cfg", "datasource_list: [ NoCloud, ConfigDrive, OpenStack ]\n");
    assert_eq!(image(&files).platform.get(), Err(Missing::Absent), "the last file counts");
    files.file("/etc/cloud/cloud.cfg.d/20.cfg", "datasource_list: [ NoCloud, Azure, Ec2 ]\n");
    assert_eq!(image(&files).platform.get(), Err(Missing::Absent), "two clouds");
    files.file("/etc/cloud/cloud.cfg.d/30.cfg.off", "datasource_list: [ Azure ]\n");
    assert_eq!(image(&files).platform.get(), Err(Missing::Absent), "not read by cloud-init");
    files.file("/etc/cloud/cloud.cfg.d/30.cfg", "datasource_list: [ Ec2 ]\n");
    files.file("/boot/vmlinuz-6.8.0-1021-aws", "");
    assert_eq!(image(&files).platform.get(), Ok(&Platform::Amazon));
    files.file("/boot/vmlinuz-6.8.0-1018-azure", "");
    assert_eq!(image(&files).platform.get(), Err(Missing::Absent), "they differ");
    let mut files = Files::new();
    files.file("/boot/vmlinuz-6.8.0-1018-azure", "");
    files.file("/boot/vmlinuz-6.8.0-51-generic", "");
    assert_eq!(image(&files).platform.get(), Err(Missing::Absent), "a kernel for all");
}

#[test]
fn a_denied_hint_is_no_answer() {
    let mut files = Files::new();
    files.file("/boot/vmlinuz-6.8.0-1021-aws", "");
    files.deny("/etc/cloud");
    assert!(matches!(image(&files).platform.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn a_running_host_is_what_its_firmware_says_whatever_image_it_came_from() {
    let mut files = firmware("QEMU", "Standard PC (Q35 + ICH9, 2009)");
    files.file("/etc/cloud/cloud.cfg", "datasource_list: [ Azure ]\n");
    let target = live(&files);
    assert_eq!(target.platform.get(), Ok(&Platform::Kvm));
    assert_eq!(target.platform_source.get().map(String::as_str), Ok("/sys/class/dmi/id/product_name"));
}
