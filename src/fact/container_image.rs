//! What a container's image says of the process that is started in it.

use super::Fact;
use crate::record;
use crate::source::{Host, Missing, Question, Reading};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

record! {
    /// What a container's image says of the process that is started in it.
    ///
    /// ```text
    /// {"architecture": "amd64", "os": "linux", "created": "2024-05-01T10:00:00Z", "config": {"User": "app",
    ///  "Env": ["PATH=/usr/bin"], "Entrypoint": ["/bin/app"], "Cmd": ["--serve"], "ExposedPorts": {"8080/tcp": {}}}}
    /// ```
    ///
    /// Source: the image's configuration, config.md of the OCI image specification, which Docker's is the origin of. Absent where
    /// the target is no container image.
    pub struct ContainerImage {
        /// Processor that its programs are for, as Go names it: `amd64`, `arm64`.
        pub architecture: String,
        /// `linux`.
        pub os: String,
        /// Variant of the processor: `v7`. Absent where there is but one.
        pub variant: Option<String>,
        /// When it was made, as RFC 3339 writes it. Absent where it is not told.
        pub created: Option<String>,
        /// User, with a group if one is told, by name or number: `app`, `1000:1000`. Absent: root.
        pub user: Option<String>,
        /// Directory that the process is started in. Absent: `/`.
        pub working_directory: Option<String>,
        /// What is executed, with its first arguments; empty if only `command` is.
        pub entrypoint: Vec<String>,
        /// Arguments that follow, which whoever starts the container may replace.
        pub command: Vec<String>,
        /// Environment of the process, in the order of the image.
        pub environment: Vec<ContainerVariable>,
        /// Ports it listens on, by its own account: `8080/tcp`.
        pub exposed_ports: Vec<String>,
        /// Directories that are to be volumes.
        pub volumes: Vec<String>,
        /// Labels, sorted by name.
        pub labels: Vec<ContainerLabel>,
        /// Signal that stops it: `SIGTERM`. Absent: that.
        pub stop_signal: Option<String>,
        /// How its health is tested (Docker only): `CMD`, and a command line. Empty: it is not.
        pub healthcheck: Vec<String>,
        /// Layers that it is made of.
        pub layers: u64,
    }
}

record! {
    /// A variable of the environment.
    pub struct ContainerVariable {
        /// Name.
        pub name: String,
        /// Value; empty where there is no `=`.
        pub value: String,
    }
}

record! {
    /// A label.
    pub struct ContainerLabel {
        /// Name: `org.opencontainers.image.version`.
        pub name: String,
        /// Value.
        pub value: String,
    }
}

impl Fact for ContainerImage {
    const NAME: &'static str = "container_image";
    const READS: &'static [&'static str] = &["the configuration of a container image"];

    fn collect(host: &Host) -> Reading<Self> {
        parse(&host.source.ask(Question::ImageConfig)?)
    }
}

/// As it is written; many programs write `null` for what is empty.
#[derive(Debug, Deserialize)]
struct Image {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    variant: Option<String>,
    created: Option<String>,
    config: Option<Config>,
    rootfs: Option<RootFs>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    user: Option<String>,
    working_dir: Option<String>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    volumes: Option<BTreeMap<String, IgnoredAny>>,
    labels: Option<BTreeMap<String, String>>,
    stop_signal: Option<String>,
    healthcheck: Option<Healthcheck>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Healthcheck {
    test: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    diff_ids: Option<Vec<IgnoredAny>>,
}

fn parse(json: &[u8]) -> Reading<ContainerImage> {
    let image: Image = serde_json::from_slice(json)
        .map_err(|error| Missing::garbled("the image's configuration", format!("makes no sense: {error}")))?;
    let config = image.config.unwrap_or_default();
    let told = |text: Option<String>| text.filter(|text| !text.is_empty());
    let variable = |text: String| match text.split_once('=') {
        Some((name, value)) => ContainerVariable { name: name.into(), value: value.into() },
        None => ContainerVariable { name: text, value: String::new() },
    };
    let names = |all: Option<BTreeMap<String, IgnoredAny>>| all.unwrap_or_default().into_keys().collect();
    let label = |(name, value)| ContainerLabel { name, value };
    Ok(ContainerImage {
        architecture: image.architecture,
        os: image.os,
        variant: told(image.variant),
        created: told(image.created),
        user: told(config.user),
        working_directory: told(config.working_dir),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        environment: config.env.unwrap_or_default().into_iter().map(variable).collect(),
        exposed_ports: names(config.exposed_ports),
        volumes: names(config.volumes),
        labels: config.labels.unwrap_or_default().into_iter().map(label).collect(),
        stop_signal: told(config.stop_signal),
        healthcheck: config.healthcheck.and_then(|check| check.test).unwrap_or_default(),
        layers: image.rootfs.and_then(|rootfs| rootfs.diff_ids).map_or(0, |ids| ids.len() as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    #[test]
    fn the_configuration_is_read() {
        let json = br#"{"architecture": "arm", "os": "linux", "variant": "v7", "created": "2024-05-01T10:00:00Z",
            "config": {"User": "app", "Env": ["PATH=/bin:/usr/bin", "A=b=c", "EMPTY"], "Entrypoint": ["/bin/app"], "Cmd": null,
                "ExposedPorts": {"8080/tcp": {}, "53/udp": {}}, "Volumes": {"/data": {}}, "WorkingDir": "", "Labels": {"b": "2", "a": "1"},
                "StopSignal": "SIGINT", "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5}},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:a", "sha256:b"]}, "history": []}"#;
        let image = parse(json).unwrap();
        assert_eq!((image.architecture.as_str(), image.variant.as_deref()), ("arm", Some("v7")));
        assert_eq!((image.user.as_deref(), image.working_directory, image.layers), (Some("app"), None, 2));
        let variables: Vec<_> =
            image.environment.iter().map(|v| (v.name.as_str(), v.value.as_str())).collect();
        assert_eq!(variables, [("PATH", "/bin:/usr/bin"), ("A", "b=c"), ("EMPTY", "")]);
        assert_eq!((image.entrypoint.len(), image.command.len(), image.healthcheck.len()), (1, 0, 2));
        assert_eq!(
            (image.exposed_ports, image.volumes),
            (vec!["53/udp".into(), "8080/tcp".to_owned()], vec!["/data".to_owned()])
        );
        assert_eq!(image.labels.iter().map(|label| label.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn little_is_enough_and_garbage_is_unreadable() {
        let image = parse(b"{}").unwrap();
        assert_eq!((image.user, image.created, image.layers), (None, None, 0));
        for garbage in [&b""[..], b"[]", b"\xff", b"{\"config\": 5}", b"{\"architecture\": \"a\""] {
            assert!(matches!(parse(garbage), Err(Missing::Unreadable(_))), "{garbage:?}");
        }
    }

    #[test]
    fn other_targets_have_none() {
        let host = Host::new(Files::new(), Target::root("x"));
        assert_eq!(ContainerImage::collect(&host).err(), Some(Missing::Absent));
    }
}
