//! Which rules are judged, and what that makes of the target.

use super::config::Config;
use super::{Failure, host};
use crate::engine::{self, Rule, Selection};
use crate::source::Host;
use clap::ValueEnum;

/// Options that say which rules are judged.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rules")]
pub(super) struct Choice {
    /// Run the rules that belong to an occasion
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub(super) profile: Option<Profile>,
    /// Run only these rules: globs over ids (`limits/*`), areas (`boot`), tags (`tag:login`)
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) select: Vec<String>,
    /// Leave these rules out
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) ignore: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    /// If it restarts now, does it come back and let an administrator in?
    Reboot,
    /// All that can be wrong with a host that was just set up
    Provision,
    /// TARGET is a golden image: also, what did its builder leave in it?
    Image,
    /// All but what is only worth knowing
    Cron,
}

impl Profile {
    /// The word for it on the command line.
    pub(super) fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn rules(self) -> engine::Profile {
        match self {
            Self::Reboot => engine::Profile::Reboot,
            Self::Provision => engine::Profile::Provision,
            Self::Image => engine::Profile::Image,
            Self::Cron => engine::Profile::Cron,
        }
    }
}

impl Choice {
    /// Those of the rules that are wanted.
    pub(super) fn of<'a>(&self, rules: &'a [Rule], config: &Config) -> Result<Vec<&'a Rule>, Failure> {
        let flags = Selection::new(&self.select, &self.ignore)?;
        flags.check(rules.iter().map(|rule| &*rule.about))?;
        let configured = Selection::new(&config.select, &config.ignore)?;
        // What is asked for by name on the command line runs even if the configuration leaves it out.
        let wanted = |about: &_| {
            self.profile.is_none_or(|profile| profile.rules().has(about))
                && flags.has(about)
                && (!self.select.is_empty() || configured.has(about))
        };
        Ok(rules.iter().filter(|rule| wanted(&rule.about)).collect())
    }

    /// The host of these arguments, taken for what the profile says it is.
    pub(super) fn host(&self, args: &host::HostArgs, config: &Config) -> Result<Host, Failure> {
        let host = args.host(config.assume.as_deref())?;
        match self.profile {
            Some(Profile::Image) => host::as_image(host),
            _ => Ok(host),
        }
    }
}
