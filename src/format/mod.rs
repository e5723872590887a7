//! Syntaxes that several facts share: lines with numbers, `key: value`, unit files. Pure functions of text, but for
//! `descriptors` and `socket_owners`, which go through directories of links, `units`, `grub_settings` and `account_files`, which find the files they
//! read, `device_path`, which asks for a device, and `elf` and `sqlite`, which read a few pieces of large files.

pub mod account_files;
pub mod boot_menu;
pub mod counters;
pub mod cpio;
pub mod cpu_columns;
pub mod cpu_mask;
pub mod descriptors;
pub mod device_path;
pub mod elf;
pub mod fs_type;
pub mod grub_script;
pub mod grub_settings;
pub mod image_devices;
pub mod kernel_command_line;
pub mod kernel_files;
pub mod kernel_release;
pub mod key_value;
pub mod loader_entry;
pub mod menu_lst;
pub mod mountinfo;
pub mod per_cpu_stat;
pub mod pressure;
pub mod printed_packages;
pub mod printed_processes;
pub mod printed_uptime;
pub mod ranges;
pub mod shared_library;
pub mod shell_variables;
pub mod size_suffix;
pub mod socket_owners;
pub mod sqlite;
pub mod syslinux;
pub mod udev_export;
pub mod udev_link;
pub mod unit_file;
pub mod units;
pub mod version_order;
