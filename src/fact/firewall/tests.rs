use super::*;
use crate::source::{Files, Target};
use FirewallVerdict::{Accept, Deny, Some as Part};

fn collect(files: &Files) -> Reading<Firewall> {
    Firewall::collect(&Host::new(files.clone(), Target::live()))
}

/// What becomes of connections to a port by the only rule set.
fn fate(files: &Files, port: u16) -> Reading<FirewallVerdict> {
    let fact = collect(files).unwrap();
    let ports = fact.rule_sets.items[0].ports.clone()?;
    ports.into_iter().find(|ports| (ports.first..=ports.last).contains(&port)).unwrap().verdict
}

fn iptables(rules: &str, port: u16) -> Reading<FirewallVerdict> {
    let mut files = Files::new();
    files.file(
        "/etc/sysconfig/iptables",
        format!("*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{rules}COMMIT\n"),
    );
    fate(&files, port)
}

fn nft(text: &str, port: u16) -> Reading<FirewallVerdict> {
    let mut files = Files::new();
    files.file("/etc/nftables.conf", text);
    fate(&files, port)
}

/// The rules of an input chain that drops.
fn nft_rules(rules: &str, port: u16) -> Reading<FirewallVerdict> {
    nft(
        &format!(
            "flush ruleset\ntable inet filter {{\n chain other {{ tcp dport 99 accept; }}\n chain input {{\n type filter hook input priority 0; policy drop;\n{rules}\n }}\n}}\n"
        ),
        port,
    )
}

fn unknown<T>(reading: &Reading<T>) -> bool {
    matches!(reading, Err(Missing::Unreadable(_)))
}

#[test]
fn a_rule_accepts_its_ports_and_the_policy_denies_the_rest() {
    let rules = "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p icmp -j ACCEPT\n\
        -A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -m comment --comment \"a b\" -j ACCEPT\n\
        -A INPUT -p udp --dport 25 -j ACCEPT\n[3:180] -A INPUT -p tcp -m multiport --dports 80,http,8000:8010 -j ACCEPT\n";
    assert_eq!(
        [21, 22, 23, 25, 80, 8000, 8010, 8011].map(|port| iptables(rules, port)),
        [Deny, Accept, Deny, Deny, Accept, Accept, Accept, Deny].map(Ok)
    );
    let mut files = Files::new();
    files.file("/etc/sysconfig/iptables", format!("*filter\n:INPUT DROP [0:0]\n{rules}COMMIT\n"));
    let fact = collect(&files).unwrap();
    let told: Vec<_> = fact.rule_sets.items[0]
        .ports
        .as_ref()
        .unwrap()
        .iter()
        .map(|p| (p.first, p.last, p.at.as_ref().unwrap().line))
        .collect();
    let path_lines = [
        (0, 21, Some(2)),
        (22, 22, Some(6)),
        (23, 79, Some(2)),
        (80, 80, Some(8)),
        (81, 7999, Some(2)),
        (8000, 8010, Some(8)),
        (8011, u16::MAX, Some(2)),
    ];
    assert_eq!(told, path_lines);
}

#[test]
fn a_reject_at_the_end_is_as_a_policy() {
    let rules = "-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\n-A INPUT -p tcp --dport 22 -j ACCEPT\n";
    assert_eq!(iptables(rules, 22), Ok(Deny));
    let inserted = format!("{rules}-I INPUT -p tcp --syn --dport 22 -j ACCEPT\n");
    assert_eq!(iptables(&inserted, 22), Ok(Accept));
    assert_eq!(iptables(&format!("{rules}-I INPUT 2 -p tcp --dport 22 -j ACCEPT\n"), 22), Ok(Deny));
}

#[test]
fn chains_are_followed() {
    let rules = ":in - [0:0]\n:deep - [0:0]\n-A INPUT -p tcp -g in\n-A INPUT -j ACCEPT\n-A in -p tcp ! --dport 22 -j RETURN\n-A in -j deep\n-A in -j LOG\n-A deep -s 192.0.2.0/24 -j RETURN\n-A deep -j DROP\n";
    // Port 80 leaves `in`, and with it the chain that went there; some of port 22 leave `deep`, and fall through as well.
    assert_eq!([22, 80].map(|port| iptables(rules, port)), [Deny, Deny].map(Ok));
    let accepting = format!("{rules}-A in -j ACCEPT\n");
    assert_eq!(iptables(&accepting, 22), Ok(Accept));
    assert!(unknown(&iptables("-A INPUT -j gone\n", 22)));
    assert!(unknown(&iptables("-A INPUT -j a\n:a - [0:0]\n-A a -j a\n", 22)));
}

#[test]
fn what_fits_some_neither_closes_nor_opens() {
    assert_eq!(iptables("-A INPUT -s 192.0.2.0/24 -p tcp --dport 22 -j ACCEPT\n", 22), Ok(Part));
    assert_eq!(iptables("-A INPUT -i eth1 -j ACCEPT\n", 22), Ok(Part));
    assert_eq!(
        iptables(
            "-A INPUT -s 192.0.2.0/24 -j DROP\n-A INPUT -m recent --update --seconds 60 --hitcount 4 --name SSH -j DROP\n-A INPUT -p tcp --dport ssh -j ACCEPT\n",
            22
        ),
        Ok(Accept)
    );
    assert_eq!(iptables("-A INPUT -m set --match-set good src -j ACCEPT\n", 22), Ok(Part));
    assert_eq!(iptables("-A INPUT ! -i lo -p tcp -j ACCEPT\n", 22), Ok(Accept));
    assert_eq!(iptables("-A INPUT -s 127.0.0.0/8 -j ACCEPT\n", 22), Ok(Deny));
    assert_eq!(
        iptables("-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT\n", 22),
        Ok(Accept)
    );
    assert_eq!(iptables("-A INPUT -p tcp -m tcp --tcp-flags ALL NONE -j ACCEPT\n", 22), Ok(Deny));
}

#[test]
fn what_is_not_understood_is_unknown_only_where_it_matters() {
    assert!(unknown(&iptables("-A INPUT -m newthing --foo 3 -j ACCEPT\n", 22)));
    assert_eq!(
        iptables("-A INPUT -m newthing --foo 3 -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\n", 22),
        Ok(Accept)
    );
    assert!(unknown(&iptables("-A INPUT -p tcp --dport nosuch -j ACCEPT\n", 22)));
    assert!(unknown(&iptables("-A INPUT -j NFQUEUE --queue-num 1\n", 22)));
    let rewritten = "COMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 2222 -j REDIRECT --to-ports 22\n";
    assert!(unknown(&iptables(rewritten, 2222)));
    assert_eq!(iptables(rewritten, 22), Ok(Deny));
    let why = iptables("-A INPUT -m newthing --foo 3 -j ACCEPT\n", 22).unwrap_err();
    assert!(matches!(why, Missing::Unreadable(why) if why.to_string().contains("line 4")));
}

#[test]
fn a_file_that_is_refused_loads_nothing() {
    for line in ["-A\n", "-A INPUT -p\n", "-A INPUT --comment \"open\n", "nonsense\n", ":X\n", "\0\u{fffd}\n"]
    {
        assert!(unknown(&iptables(line, 22)), "{line:?}");
    }
    assert_eq!(iptables("", 22), Ok(Deny));
}

#[test]
fn nft_rules_are_understood_as_far_as_they_speak_of_new_connections() {
    let usual = " ct state vmap { established : accept, related : accept, invalid : drop }\n iif lo accept\n ip protocol icmp accept\n meta l4proto { icmp, ipv6-icmp } accept\n udp dport 53 accept\n tcp dport { 22, 80,\n 443 } ct state new counter log prefix \"x\" accept comment \"ours\"\n";
    assert_eq!([22, 80, 443, 53].map(|port| nft_rules(usual, port)), [Accept, Accept, Accept, Deny].map(Ok));
    let fates = |rules: &str| nft_rules(rules, 22);
    assert_eq!(fates("tcp dport 20-25 accept"), Ok(Accept));
    assert_eq!(fates("tcp dport != ssh accept"), Ok(Deny));
    assert_eq!(fates("tcp dport vmap { 22 : accept, 80 : jump other }"), Ok(Accept));
    assert_eq!(
        fates("tcp dport vmap @ports"),
        Err(Missing::garbled("/etc/nftables.conf", "line 6 says more than hostvet understands"))
    );
    assert_eq!(fates("ip saddr 192.0.2.0/24 tcp dport 22 accept"), Ok(Part));
    assert_eq!(fates("iifname \"eth1\" accept"), Ok(Part));
    assert_eq!(fates("iifname != \"lo\" tcp dport 22 accept"), Ok(Accept));
    assert_eq!(fates("iifname vmap { \"lo\" : accept, \"eth1\" : accept }"), Ok(Part));
    assert_eq!(fates("ip6 saddr fe80::/10 accept\nmeta nfproto ipv6 accept"), Ok(Deny));
    assert_eq!(
        fates("add @tries { ip saddr limit rate over 3/minute } drop\ntcp dport 22 accept"),
        Ok(Accept)
    );
    assert_eq!(fates("limit rate 10/second accept"), Ok(Part));
    assert_eq!(fates("tcp flags & (fin|syn|rst|ack) == syn accept"), Ok(Part));
    assert_eq!(fates("reject with icmp type admin-prohibited\naccept"), Ok(Deny));
    assert!(unknown(&fates("newthing 3 accept")));
    assert!(unknown(&fates("fib daddr . iif type vmap { local : accept }")));
    assert!(unknown(&fates("queue num 1")));
    assert!(unknown(&fates("jump gone")));
    assert_eq!(fates("jump other"), Ok(Deny));
}

#[test]
fn variables_sets_includes_and_plain_commands() {
    let mut files = Files::new();
    files.file(
        "/etc/nftables.conf",
        "#!/usr/sbin/nft -f\ndefine ssh = 22\ninclude \"/etc/nftables.d/*.nft\"\ninclude \"more.nft\"\n",
    );
    files.file("/etc/nftables.d/10.nft", "table inet f {\n set open {\n type inet_service; flags interval\n elements = { $ssh, 8000-8010 }\n }\n chain in {\n  type filter hook input priority filter\n  policy drop\n  tcp dport @open accept\n }\n}\n");
    files.file("/etc/more.nft", "add rule inet f in tcp dport \\\n 443 accept\nadd element inet f open { 9000 }\ninsert rule inet f in tcp dport 8001 drop\n");
    assert_eq!(
        [22, 8000, 8001, 443, 9000, 80].map(|port| fate(&files, port)),
        [Accept, Accept, Deny, Accept, Accept, Deny].map(Ok)
    );
    files.file("/etc/more.nft", "delete table inet f\n");
    assert_eq!(fate(&files, 80), Ok(Accept));
}

#[test]
fn every_chain_of_a_hook_has_a_say() {
    let two = "table ip a { chain x { type filter hook prerouting priority raw; tcp dport 22 drop; } }\ntable inet b { chain y { type filter hook input priority 0; policy drop; accept; } }\n";
    assert_eq!([22, 80].map(|port| nft(two, port)), [Deny, Accept].map(Ok));
    // Only IPv6, only forwarded, or dormant: not asked.
    for table in [
        "ip6 a { chain x { type filter hook input",
        "ip a { chain x { type filter hook forward",
        "ip a { flags dormant; chain x { type filter hook input",
    ] {
        assert_eq!(
            nft(&format!("table {table} priority 0; policy drop; }} }}\n"), 22),
            Ok(Accept),
            "{table}"
        );
    }
    let fresh = "flush ruleset\n\ntable inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter;\n\t}\n\tchain forward {\n\t\ttype filter hook forward priority filter;\n\t}\n}\n";
    assert_eq!(nft(fresh, 22), Ok(Accept));
}

#[test]
fn a_rule_set_that_nft_refuses_is_unknown() {
    for text in [
        "table inet f {\n",
        "}\n",
        "tabel inet f { }\n",
        "include \"/gone.nft\"\n",
        "add rule ip f in tcp dport $gone accept\n",
        "x \"open\n",
    ] {
        assert!(unknown(&nft(text, 22)), "{text:?}");
    }
    assert_eq!(nft("", 22), Ok(Accept));
    let deep = "table inet f {".repeat(100_000);
    assert!(unknown(&nft(&deep, 22)));
    assert!(unknown(&nft("include \"/etc/nftables.conf\"\n", 22)));
}

fn ufw(user: &str) -> Files {
    let mut files = Files::new();
    files
        .file("/etc/ufw/ufw.conf", "# on\nENABLED=yes\nLOGLEVEL=low\n")
        .file("/etc/default/ufw", "DEFAULT_INPUT_POLICY=\"DROP\"\n");
    files.file("/etc/ufw/before.rules", "*filter\n:ufw-before-input - [0:0]\n:ufw-not-local - [0:0]\n-A ufw-before-input -i lo -j ACCEPT\n-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny\n-A ufw-before-input -j ufw-not-local\n-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN\n-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j ufw-logging-deny\n-A ufw-not-local -j DROP\nCOMMIT\n");
    files.file("/etc/ufw/user.rules", format!("*filter\n:ufw-user-input - [0:0]\n:ufw-user-limit - [0:0]\n:ufw-user-limit-accept - [0:0]\n### RULES ###\n{user}-A ufw-user-limit -j REJECT\n-A ufw-user-limit-accept -j ACCEPT\nCOMMIT\n"));
    files.file(
        "/etc/ufw/after.rules",
        "*filter\n-A ufw-after-input -p tcp --dport 445 -j ufw-skip-to-policy-input\nCOMMIT\n",
    );
    files
}

#[test]
fn ufw_puts_its_files_between_chains_of_its_own() {
    let open = ufw(
        "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n",
    );
    assert_eq!([22, 80, 445].map(|port| fate(&open, port)), [Accept, Deny, Deny].map(Ok));
    let limited = ufw(
        "-A ufw-user-input -p tcp --dport 22 -m conntrack --ctstate NEW -m recent --set\n-A ufw-user-input -p tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 -j ufw-user-limit\n-A ufw-user-input -p tcp --dport 22 -j ufw-user-limit-accept\n",
    );
    assert_eq!(fate(&limited, 22), Ok(Accept));
    assert!(collect(&open).unwrap().rule_sets.items[0].switched_on);
    let mut off = ufw("");
    off.file("/etc/ufw/ufw.conf", "ENABLED=no\n");
    assert!(!collect(&off).unwrap().rule_sets.items[0].switched_on);
    // Files of packages alone are no ufw.
    let mut none = Files::new();
    none.file("/etc/ufw/applications.d/openssh-server", "");
    assert!(matches!(collect(&none), Err(Missing::Absent)));
}

fn firewalld(zone: &str) -> Files {
    let mut files = Files::new();
    files.file("/etc/firewalld/firewalld.conf", "# c\nDefaultZone=public\n");
    files.file("/usr/lib/firewalld/zones/public.xml", "<zone><service name=\"ssh\"/></zone>");
    files.file(
        "/etc/firewalld/zones/public.xml",
        format!("<?xml version=\"1.0\"?>\n<!-- c -->\n<zone>{zone}</zone>\n"),
    );
    files.file(
        "/usr/lib/firewalld/services/ssh.xml",
        "<service><short>SSH</short><port protocol=\"tcp\" port=\"22\"/></service>",
    );
    files.file(
        "/usr/lib/firewalld/services/dns.xml",
        "<service><port protocol=\"udp\" port=\"53\"/><include service=\"ssh\"/></service>",
    );
    files.file("/usr/lib/firewalld/zones/trusted.xml", "<zone target=\"ACCEPT\"/>");
    files
}

#[test]
fn firewalld_opens_what_its_zone_names() {
    assert_eq!(fate(&firewalld("<service name=\"ssh\"/>"), 22), Ok(Accept));
    assert_eq!(fate(&firewalld("<service name=\"dns\"/>"), 22), Ok(Accept));
    assert_eq!(
        [21, 22, 23].map(|port| fate(
            &firewalld("<port port=\"22\" protocol=\"tcp\"/><port port=\"23\" protocol=\"udp\"/>"),
            port
        )),
        [Deny, Accept, Deny].map(Ok)
    );
    assert_eq!(
        fate(
            &firewalld(
                "<rule family=\"ipv4\"><source address=\"192.0.2.0/24\"/><service name=\"ssh\"/><accept/></rule>"
            ),
            22
        ),
        Ok(Part)
    );
    assert_eq!(fate(&firewalld("<rule><service name=\"ssh\"/><drop/></rule>"), 22), Ok(Deny));
    assert!(unknown(&fate(&firewalld("<service name=\"gone\"/>"), 22)));
    assert!(unknown(&fate(&firewalld("<broken"), 22)));
    assert!(unknown(&fate(&firewalld(&"<a>".repeat(100_000)), 22)));
    let mut bound = firewalld("");
    assert_eq!(fate(&bound, 22), Ok(Deny));
    bound.file("/etc/sysconfig/network-scripts/ifcfg-eth1", "DEVICE=eth1\nZONE=trusted\n");
    assert_eq!(fate(&bound, 22), Ok(Part));
    let mut direct = firewalld("");
    direct.file("/etc/firewalld/direct.xml", "<direct><rule ipv=\"ipv4\">x</rule></direct>");
    assert!(unknown(&fate(&direct, 22)));
}

#[test]
fn absent_denied_and_the_kernels_tables() {
    assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    let mut files = Files::new();
    files.deny("/etc/nftables.conf");
    let fact = collect(&files).unwrap();
    assert_eq!((fact.rule_sets.items.len(), fact.rule_sets.unread.len()), (0, 1));
    files.file(KERNEL_TABLES, "nat\nfilter\n");
    assert_eq!(collect(&files).unwrap().kernel_tables, Ok(vec!["nat".to_owned(), "filter".to_owned()]));
}

#[test]
fn hostile_sizes_end_soon() {
    let many = |line: &str, times: usize| line.repeat(times);
    assert!(unknown(&iptables(&many("-A INPUT -p tcp --dport 22 -j ACCEPT\n", 60_000), 22)));
    assert!(unknown(&iptables(&many("-I INPUT -j DROP\n", 3000), 22)));
    let ports: String = (0..9000).map(|n| format!("-A INPUT -p tcp --dport {} -j DROP\n", n * 2)).collect();
    assert!(unknown(&iptables(&ports, 22)));
    // Each chain goes through the next one twice.
    let chains: String =
        (0..31).map(|n| format!(":c{n} -\n-A c{n} -j c{}\n-A c{n} -j c{}\n", n + 1, n + 1)).collect();
    assert!(unknown(&iptables(&format!("{chains}:c31 -\n-A INPUT -j c0\n-A c31 -j LOG\n"), 22)));
    let doubled: String = (1..60).map(|n| format!("define v{n} = $v{} $v{}\n", n - 1, n - 1)).collect();
    assert!(unknown(&nft(&format!("define v0 = 1\n{doubled}"), 22)));
    assert!(unknown(&nft_rules(&format!("tcp dport {{ {} }} accept", many("22, ", 300_000)), 22)));
}
