//! Signs in names and values that would move a terminal's cursor, and values that would fill it.

use super::*;

#[test]
#[cfg(unix)]
fn names_and_values_do_nothing_to_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let header = "customer_id,period_start,period_end,total_orders,total_spend";
    let name = "a\u{1b}[2J\n\u{202e}b.csv";
    let row = |id: &str, spend: &str| format!("{id},2023-01-01,2023-02-01,1,{spend}\n");
    let seen = |ran: &Ran| {
        let all = format!("{}{}", ran.out(), ran.stderr);
        assert!(!all.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{all:?}");
        all
    };
    let good = format!("{header}\n{}", row("ana", "5"));
    fs::write(folder.path().join(name), &good).unwrap();
    for arguments in [vec!["audit", name, "--every", "month"], vec!["peek", name], vec!["audit", name, "--every", "month", "--explain"]] {
        seen(&lensflow(folder.path(), &arguments).expect(0));
    }
    let bad = format!("{good}{}{}", row("bo\u{1b}]0;x\u{7}", "1\u{9b}2J"), row("cy", &"9".repeat(500_000)));
    fs::write(folder.path().join(name), bad).unwrap();
    for more in [&[][..], &["--fail-fast"], &["--log-format", "json"]] {
        let said = seen(&lensflow(folder.path(), &[&["audit", name, "--every", "month"], more].concat()).expect(1));
        assert!(said.contains("bad_number") && said.len() < 20_000, "{} {said:?}", said.len());
    }
}
