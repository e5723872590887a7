//! XFS.
