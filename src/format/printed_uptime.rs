//! What uptime(1) prints, for reports that hold no /proc/uptime and no /proc/loadavg.
//!
//! ```text
//!  14:02:11 up 41 days,  3:04,  2 users,  load average: 25.76, 20.60, 19.00
//!  14:02:11 up 10 min,  1 user,  load average: 0.00, 0.01, 0.05
//! ```

/// Where sosreport keeps it.
pub(crate) const PATH: &str = "/sos_commands/host/uptime";

/// What a line of it tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Printed {
    /// Since the boot, in whole minutes.
    pub(crate) seconds: u64,
    /// The load over 1, 5 and 15 minutes.
    pub(crate) load: [f64; 3],
}

/// The line; none if it is not one.
pub(crate) fn parse(text: &str) -> Option<Printed> {
    let (_, rest) = text.lines().find_map(|line| line.split_once(" up "))?;
    let (up, load) = rest.split_once("load average: ")?;
    let mut minutes = 0_u64;
    for part in
        up.split(',').map(str::trim).take_while(|part| !part.ends_with("user") && !part.ends_with("users"))
    {
        let of = |number: &str, factor: u64| number.trim().parse::<u64>().ok()?.checked_mul(factor);
        let more = match (part.split_once(':'), part.split_once(' ')) {
            (Some((hours, rest)), _) => of(hours, 60)?.checked_add(of(rest, 1)?)?,
            (None, Some((days, "day" | "days"))) => of(days, 24 * 60)?,
            (None, Some((minutes, "min"))) => of(minutes, 1)?,
            _ if part.is_empty() => 0,
            _ => return None,
        };
        minutes = minutes.checked_add(more)?;
    }
    let mut loads = load.split(',').map(|load| {
        let load: f64 = load.trim().parse().ok()?;
        (load.is_finite() && load >= 0.0).then_some(load)
    });
    let load = [loads.next()??, loads.next()??, loads.next()??];
    Some(Printed { seconds: minutes.checked_mul(60)?, load })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_hours_and_minutes_are_read() {
        let minutes = |up: &str| {
            parse(&format!(" 14:02:11 up {up},  2 users,  load average: 25.76, 20.60, 19.00\n"))
                .unwrap()
                .seconds
                / 60
        };
        assert_eq!(minutes("41 days,  3:04"), 41 * 1440 + 184);
        assert_eq!(minutes("1 day, 5 min"), 1445);
        assert_eq!((minutes("10 min"), minutes(" 6:16")), (10, 376));
        let line = " 08:47:03 up  6:16,  0 user,  load average: 2.87, 1.24, 1.25\n";
        assert_eq!(parse(line).unwrap().load, [2.87, 1.24, 1.25]);
        assert!(parse("09:00 up 1 min,  load average: 0.00, 0.00, 0.00").is_some());
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "uptime: command not found",
            " up ",
            " 1 up 3 weeks, load average: 1, 1, 1",
            " 1 up 5 min, load average: 1, 1",
            " 1 up 5 min, load average: nan, 1, 1",
            " 1 up 99999999999999999 days, load average: 1, 1, 1",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
