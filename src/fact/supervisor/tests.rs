use super::*;
use crate::source::{Files, Target};

fn collect(files: &Files) -> Reading<Supervisor> {
    Supervisor::collect(&Host::new(files.clone(), Target::root("x")))
}

#[test]
fn what_is_not_set_has_its_default_and_programs_are_in_other_files() {
    let mut files = Files::new();
    files.file(
        "/etc/supervisor/supervisord.conf",
        "; a comment\n[supervisord]\nlogfile=/var/log/x ; (main log; default x)\n\n[include]\nfiles = conf.d/*.conf\n   /etc/more/*\n",
    );
    files.file("/etc/supervisor/conf.d/app.conf", "[program:app]\ncommand=/opt/app\n    --minfds=3\n");
    files.file("/etc/supervisor/conf.d/.old.conf", "[program:old]\ncommand=x\n");
    files.file("/etc/more/b", "[program:b]\ncommand=b\n");
    let config = &collect(&files).unwrap().configurations.items[0];
    assert_eq!((config.minfds, config.minprocs, &config.minfds_at), (1024, 200, &None));
    assert_eq!(config.programs, ["app", "b"]);
}

#[test]
fn the_last_of_several_lines_counts_wherever_it_is() {
    let mut files = Files::new();
    files.file("/etc/supervisord.conf", "[supervisord]\nMinFDs = 2048\t; much\nminprocs=300\n[include]\nfiles=supervisord.d/*.ini\n");
    files.file("/etc/supervisord.d/limits.ini", "[supervisord]\nminfds: 655350\n[program:x]\nminfds=1\n");
    let config = &collect(&files).unwrap().configurations.items[0];
    assert_eq!((config.minfds, config.minprocs), (655_350, 300));
    assert_eq!(config.minfds_at.as_ref().unwrap().to_string(), "/etc/supervisord.d/limits.ini:2");
    assert_eq!(config.minprocs_at.as_ref().unwrap().to_string(), "/etc/supervisord.conf:3");
}

#[test]
fn absent_denied_and_garbage_are_three_things() {
    let mut files = Files::new();
    assert_eq!(collect(&files).map(|_| ()), Err(Missing::Absent));
    files.file("/etc/supervisord.conf", "[supervisord]\nminfds = many\n");
    let found = collect(&files).unwrap().configurations;
    assert_eq!((found.items.len(), found.unread.len()), (0, 1));
    files.file("/etc/supervisord.conf", "\0\u{fffd}\n[\n]\n=\n");
    assert_eq!(collect(&files).unwrap().configurations.items[0].minfds, 1024);
    files.file("/etc/supervisord.conf", "[include]\nfiles = d/*\n").file("/etc/d/a", "").deny("/etc/d/a");
    assert_eq!(collect(&files).unwrap().configurations.unread.len(), 1);
}
