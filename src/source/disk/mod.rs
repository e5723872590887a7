//! Root trees in disk images, read without mounting them: an image file holds a disk, the disk partitions and logical volumes,
//! those file systems, and these, put together as the image's own fstab says, the tree.

// What is not yet put together.
#![allow(dead_code)]

mod btrfs;
mod ext;
mod fat;
mod file_system;
mod format;
#[cfg(test)]
mod harness;
mod number;
mod superblock;
mod volume;
mod xfs;
