//! The formats of disk images: raw, qcow2 and others.
