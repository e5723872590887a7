//! What an image of a container is for, in the words of Go.

use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// What an image is for: `linux/amd64`, `linux/arm64/v8`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct ImagePlatform {
    /// `linux`.
    #[serde(default)]
    os: String,
    /// As Go names it: `amd64`, `arm64`.
    #[serde(default)]
    architecture: String,
    /// `v7`.
    variant: Option<String>,
}

/// A text that is no [`ImagePlatform`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no platform: write linux/amd64 or linux/arm/v7")]
pub struct BadPlatform(String);

impl FromStr for ImagePlatform {
    type Err = BadPlatform;

    fn from_str(text: &str) -> Result<Self, BadPlatform> {
        let parts: Vec<_> = text.split('/').map(str::to_owned).collect();
        match parts.as_slice() {
            _ if parts.iter().any(String::is_empty) => Err(BadPlatform(text.into())),
            [os, architecture] => {
                Ok(Self { os: os.clone(), architecture: architecture.clone(), variant: None })
            }
            [os, architecture, variant] => Ok(Self {
                os: os.clone(),
                architecture: architecture.clone(),
                variant: Some(variant.clone()),
            }),
            _ => Err(BadPlatform(text.into())),
        }
    }
}

impl fmt::Display for ImagePlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl ImagePlatform {
    /// Whether it says nothing: what is told of an image, such as who built it, is stored as if it were one.
    pub(super) fn is_unknown(&self) -> bool {
        self.os == "unknown"
    }

    /// Whether it is the wanted one; a variant counts only if one is wanted.
    pub(super) fn is(&self, wanted: &Self) -> bool {
        let variant = wanted.variant.is_none() || self.variant == wanted.variant;
        self.os == wanted.os && self.architecture == wanted.architecture && variant
    }
}
