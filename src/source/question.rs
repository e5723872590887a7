//! What no file of a host holds: what only a running kernel or its first process can answer, or what lies beside an image's files.

use std::fmt;
use std::str::FromStr;

/// A question to the kernel, the service manager or an image, and what its answer looks like.
///
/// Its text names it where an answer is kept: in the cases of rules, and beside a capture's files.
///
/// ```
/// use hostvet::source::Question;
///
/// let question = Question::TcpSockets { states: 1 << 10, info: false };
/// assert_eq!(question.to_string(), "sock_diag tcp states=0x400");
/// assert_eq!("sock_diag tcp states=0x400".parse(), Ok(question));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// The configuration of a container's image: the JSON of the OCI image specification's config.md, as it came.
    ImageConfig,
    /// The TCP sockets of this network namespace, IPv4's and IPv6's alike: the messages of sock_diag(7) as they came, the one
    /// that ends them included.
    TcpSockets {
        /// The states that are wanted: the bit `1 << state` for each, numbered as in the kernel's include/net/tcp_states.h.
        /// Without the states of connections their hash table, which may be large, is not walked.
        states: u32,
        /// Whether `struct tcp_info` is wanted of each, which is longer than all the rest.
        info: bool,
    },
    /// The units of systemd that are in the state "failed": the message of D-Bus with which the service manager answers
    /// `ListUnitsFiltered`, org.freedesktop.systemd1(5).
    FailedUnits,
    /// The devices of a disk image: the disk, its partitions and the logical volumes on them, with what their superblocks say. For
    /// each a block of lines `KEY=value` as `blkid -o export` writes them, an empty line after each block: what means something to a
    /// shell has a backslash before it, bytes of control characters are written `\x0a`.
    ///
    /// ```text
    /// DEVNAME=disk2                 disk, disk1 for the first partition, vg/root: what the kernel will call them depends on the machine
    /// PKNAME=disk                   what it is a part of
    /// SIZE=2097152                  in bytes
    /// DEVTYPE=part                  disk, part, lvm
    /// PARTN=2, PARTUUID=…, PARTLABEL=…, PARTTYPE=…; VG_NAME=…, LV_NAME=…
    /// TYPE=ext4, UUID=…, UUID_SUB=…, LABEL=…
    /// MEMBER=yes                    of something that others are made of: LVM2_member, crypto_LUKS
    /// CLEAN=yes, ERRORS=no, ERROR_COUNT=0, FIRST_ERROR_TIME=…, LAST_ERROR_TIME=…, ERROR_DETAIL=…
    /// UNREAD=why it is not known what it holds
    /// ```
    BlockDevices,
}

const IMAGE_CONFIG: &str = "image config";
const BLOCK_DEVICES: &str = "block devices";

impl Question {
    /// Whether the answer is text, which can be written as it is.
    pub fn is_text(self) -> bool {
        matches!(self, Self::BlockDevices)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImageConfig => f.write_str(IMAGE_CONFIG),
            Self::TcpSockets { states, info } => {
                let info = if *info { " info" } else { "" };
                write!(f, "sock_diag tcp states={states:#x}{info}")
            }
            Self::FailedUnits => f.write_str(FAILED_UNITS),
            Self::BlockDevices => f.write_str(BLOCK_DEVICES),
        }
    }
}

const FAILED_UNITS: &str = "systemd units failed";

/// A text that is no [`Question`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no question: `image config` is one, `block devices`, `systemd units failed`, and `sock_diag tcp states=0x400`, also with ` info` at its end"
)]
pub struct BadQuestion(pub String);

impl FromStr for Question {
    type Err = BadQuestion;

    fn from_str(text: &str) -> Result<Self, BadQuestion> {
        if text == IMAGE_CONFIG {
            return Ok(Self::ImageConfig);
        }
        if text == FAILED_UNITS {
            return Ok(Self::FailedUnits);
        }
        if text == BLOCK_DEVICES {
            return Ok(Self::BlockDevices);
        }
        let words: Vec<_> = text.split(' ').collect();
        let (states, info) = match words[..] {
            ["sock_diag", "tcp", states] => (states, false),
            ["sock_diag", "tcp", states, "info"] => (states, true),
            _ => return Err(BadQuestion(text.into())),
        };
        let digits = states.strip_prefix("states=0x").ok_or_else(|| BadQuestion(text.into()))?;
        let states = u32::from_str_radix(digits, 16).map_err(|_| BadQuestion(text.into()))?;
        Ok(Self::TcpSockets { states, info })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_as_it_is_written() {
        for (states, info) in [(0x400, false), (0x1bfe, false), (2, true), (u32::MAX, true)] {
            let question = Question::TcpSockets { states, info };
            assert_eq!(question.to_string().parse(), Ok(question));
        }
        assert_eq!("image config".parse(), Ok(Question::ImageConfig));
        assert_eq!(Question::ImageConfig.to_string(), "image config");
        assert_eq!(Question::FailedUnits.to_string().parse(), Ok(Question::FailedUnits));
        assert_eq!(Question::BlockDevices.to_string().parse(), Ok(Question::BlockDevices));
        assert!(Question::BlockDevices.is_text() && !Question::FailedUnits.is_text());
        for odd in [
            "",
            "sock_diag",
            "sock_diag tcp states=1024",
            "sock_diag tcp states=0x",
            "sock_diag udp states=0x1",
        ] {
            assert_eq!(odd.parse::<Question>(), Err(BadQuestion(odd.into())));
        }
    }
}
