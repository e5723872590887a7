//! Which rules belong to an occasion.

use super::rule::About;
use super::severity::Severity;

/// An occasion on which a host is vetted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Before a restart: does it come back, and let an administrator in?
    Reboot,
    /// Once, after a host was set up.
    Provision,
    /// Before an image is handed out: also, what did its builder leave in it?
    Image,
    /// Again and again: what is only worth knowing is left out.
    Cron,
}

impl Profile {
    /// Whether a rule belongs to it.
    pub fn has(self, rule: &About) -> bool {
        match self {
            Self::Reboot => {
                matches!(rule.area(), "boot" | "login") || rule.tags.iter().any(|tag| tag == "reboot")
            }
            Self::Provision => rule.area() != "image",
            Self::Image => true,
            Self::Cron => rule.area() != "image" && rule.worst > Severity::Info,
        }
    }
}
