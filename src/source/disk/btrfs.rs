//! btrfs, with its subvolumes.
