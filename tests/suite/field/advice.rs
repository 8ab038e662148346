//! Advice is followed as it is printed, by a program that does what a person would do: it pastes the options of the last line. That ends, in
//! right numbers or in an error that repeats no advice.

use crate::make::Dice;
use crate::support::Lensflow;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// More rounds are a loop.
const ROUNDS: usize = 6;

/// How a road of advice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// The windows with revenue, `2023-01: 5`; whether the person had to choose, and whether rows were left out.
    Answer {
        windows: String,
        chosen: bool,
        rejects: bool,
    },
    Stuck(String),
}

/// Follows the advice about an input, all ways where it names several.
fn follow(folder: &Path) -> Vec<End> {
    let mut ends = Vec::new();
    let mut open = vec![(Vec::<[String; 2]>::new(), Vec::<String>::new(), false)];
    while let Some((options, known, chosen)) = open.pop() {
        let flags = options.iter().flatten().map(String::as_str);
        let line: Vec<&str> =
            ["audit", "t.csv", "--every", "month", "--refunds", "net", "--report", "r.json"].into_iter().chain(flags).collect();
        let ran = Lensflow::new(folder, &line).run();
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        if ran.code == Some(0) {
            let report: Value = serde_json::from_slice(&fs::read(folder.join("r.json")).unwrap()).unwrap();
            let windows = report["windows"].as_array().unwrap().iter().map(|w| (&w["name"], &w["lens1"]["total_revenue"]));
            let windows = windows.filter(|(_, revenue)| revenue.as_f64() != Some(0.0));
            let windows: Vec<String> = windows.map(|(name, revenue)| format!("{}: {revenue}", name.as_str().unwrap())).collect();
            let rejects = options.iter().any(|[flag, _]| flag == "--on-bad-row");
            ends.push(End::Answer { windows: windows.join(", "), chosen, rejects });
            continue;
        }
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let help = ran.stderr.lines().rfind(|line| line.starts_with("  help: ")).unwrap_or_else(|| panic!("{}", ran.stderr)).to_owned();
        let ways = ways(&help);
        if ways.is_empty() || help.contains("correct") {
            ends.push(End::Stuck(help));
            continue;
        }
        let asked = format!("{help} {options:?}");
        assert!(!known.contains(&asked) && known.len() < ROUNDS, "advice goes round: {known:#?} {asked}");
        let several = ways.len() > 1;
        for way in ways {
            let mut next = options.clone();
            // What is pasted takes the place of what was there, unless it is beside it.
            if !help.contains(" too") && !help.contains("beside") {
                next.retain(|[flag, _]| way.iter().all(|[other, _]| other != flag));
            }
            next.extend(way);
            open.push((next, [&known[..], std::slice::from_ref(&asked)].concat(), chosen || several));
        }
    }
    ends
}

/// The options that a line of help names, of which one is to be chosen.
fn ways(help: &str) -> Vec<Vec<[String; 2]>> {
    let help = help.split(" instead of ").next().unwrap();
    let mut words = Vec::new();
    let mut rest = help;
    while let Some(at) = rest.find(|c: char| c != ' ') {
        rest = &rest[at..];
        let quoted = rest.strip_prefix('"').and_then(|inner| inner.split_once('"'));
        let (word, after) = quoted.unwrap_or_else(|| rest.split_once(' ').unwrap_or((rest, "")));
        words.push(word.trim_end_matches([',', ';', ':']));
        rest = after;
    }
    let places: Vec<usize> = (0..words.len()).filter(|&at| words[at].starts_with("--") && at + 1 < words.len()).collect();
    let option = |at: usize| [words[at].to_owned(), words[at + 1].to_owned()];
    let flags: BTreeSet<&str> = places.iter().map(|&at| words[at]).collect();
    match flags.len() {
        1 => places.into_iter().map(|at| vec![option(at)]).collect(),
        0 => Vec::new(),
        // Of several flags, each is needed; where one comes more than once, there is a choice of it.
        _ => {
            let choices = |flag: &str| places.iter().filter(|&&at| words[at] == flag).map(|&at| option(at)).collect::<Vec<_>>();
            flags.into_iter().map(choices).fold(vec![Vec::new()], |ways, choices| {
                ways.iter().flat_map(|way| choices.iter().map(|choice| [&way[..], std::slice::from_ref(choice)].concat())).collect()
            })
        }
    }
}

fn write(rows: &[(String, String, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "order_id,customer_id,event_ts,quantity,line_total\n".to_owned();
    for (at, (date, quantity, amount)) in rows.iter().enumerate() {
        text += &format!("{at},C{},\"{date}\",\"{quantity}\",\"{amount}\"\n", at % 3);
    }
    fs::write(folder.path().join("t.csv"), text).unwrap();
    folder
}

fn answers(ends: &[End]) -> BTreeSet<&str> {
    let windows = |end| match end {
        &End::Answer { ref windows, rejects: false, .. } => Some(windows.as_str()),
        _ => None,
    };
    ends.iter().filter_map(windows).collect()
}

/// Amounts of three days of January, or three dates of 5.00 each, and every answer that there may be.
#[test]
fn advice_ends_in_right_numbers_or_says_that_there_are_none() {
    let amounts: [([&str; 3], &[&str]); 26] = [
        (["1,234", "950", "12,000"], &["2023-01: 14184.0", "2023-01: 963.23"]),
        (["1,234", "950", "12,000.50"], &["2023-01: 14184.5"]),
        (["1,234", "9,50", "12,000"], &["2023-01: 22.73"]),
        (["$1,234", "$12,000", "$500"], &["2023-01: 13734.0", "2023-01: 513.23"]),
        (["1.234,56", "12,50", "3,00"], &["2023-01: 1250.06"]),
        (["1.234,56", "12,50", "3.00"], &[]),
        (["1,234.5", "12,50", "3.00"], &[]),
        (["12,345", "1,5", "2,50"], &["2023-01: 16.35"]),
        (["1.234,5", "1,234.5", "3"], &[]),
        (["12,50", "3.00", "4"], &[]),
        (["0,500", "1,25", "3"], &["2023-01: 4.75"]),
        (["0,500", "1,234", "3"], &["2023-01: 4.73"]),
        (["0.500", "1.234,00", "3"], &[]),
        (["12,-", "5,-", "3,50"], &["2023-01: 20.5"]),
        (["12,-", "1.234,-", "3"], &["2023-01: 1249.0"]),
        (["1,23,456.78", "1,000.00", "12.50"], &["2023-01: 124469.28"]),
        (["1\u{202f}234,56", "12,50", "3,00"], &["2023-01: 1250.06"]),
        (["R$ 1.234,56", "R$ 12,50", "R$ 3,00"], &["2023-01: 1250.06"]),
        (["1.000.000", "2.500.000", "900.000"], &["2023-01: 4400000.0"]),
        (["1.000.000", "2,500,000", "900"], &[]),
        (["1'234.50", "1,000.25", "3"], &[]),
        (["1 234", "12 000", "500"], &["2023-01: 13734.0"]),
        (["1,2345", "3", "4"], &["2023-01: 8.23"]),
        (["(1.234,50)", "5.000,00", "9,50-"], &["2023-01: 5000.0"]),
        (["00.123", "1,5", "3"], &[]),
        (["12.50", "3,-", "4.-"], &["2023-01: 19.5"]),
    ];
    for (amounts, right) in amounts {
        let row = |at: usize| (format!("2023-01-{:02}", at + 4), "1".to_owned(), amounts[at].to_owned());
        let ends = follow(write(&[row(0), row(1), row(2)]).path());
        assert_eq!(answers(&ends), right.iter().copied().collect(), "{amounts:?}: {ends:#?}");
        let is_sure = |end: &End| matches!(end, End::Answer { chosen: false, .. });
        assert!(right.len() < 2 || !ends.iter().any(is_sure), "{amounts:?}: nothing was to choose: {ends:#?}");
    }
    let dates: [([&str; 3], &[&str]); 22] = [
        (["3/4/2023", "5/6/2023", "5/13/2023"], &["2023-03: 5.0, 2023-05: 10.0"]),
        (["3/4/2023", "5/6/2023", "13/5/2023"], &["2023-04: 5.0, 2023-05: 5.0, 2023-06: 5.0"]),
        (["13/2/2023", "3/4/2023", "5/16/2023"], &[]),
        (["3/4/2023", "3/4/2023", "5/4/2023"], &["2023-03: 10.0, 2023-05: 5.0", "2023-04: 15.0"]),
        (["3/4/2023", "5/6/2023 10:00", "5/6/2023"], &["2023-03: 5.0, 2023-05: 10.0", "2023-04: 5.0, 2023-06: 10.0"]),
        (["13/2/2023", "5/6/2023 10:00", "5/6/23"], &["2023-02: 5.0, 2023-06: 10.0"]),
        (["2023-01-05", "13/2/2023", "2023-03-05"], &["2023-01: 5.0, 2023-02: 5.0, 2023-03: 5.0"]),
        (["13/2/23", "14/2/23", "15/3/23"], &["2023-02: 10.0, 2023-03: 5.0"]),
        (["Jan-05-23", "Feb-05-23", "Mar-05-23"], &["2023-01: 5.0, 2023-02: 5.0, 2023-03: 5.0"]),
        (["31-Jan-23", "28-Feb-23", "01-Mar-23"], &["2023-01: 5.0, 2023-02: 5.0, 2023-03: 5.0"]),
        (["2023.01.31", "2023.02.28", "2023.03.01"], &["2023-01: 5.0, 2023-02: 5.0, 2023-03: 5.0"]),
        (["2023-1-5", "2023-2-5", "2023-3-5"], &["2023-01: 5.0, 2023-02: 5.0, 2023-03: 5.0"]),
        (["5 Jan 2023", "5 Feb 2023", "5 May 2023"], &["2023-01: 5.0, 2023-02: 5.0, 2023-05: 5.0"]),
        (["January 5, 2023 3:04 PM", "May 5, 2023 3:04 PM", "June 5, 2023 3:04 AM"], &["2023-01: 5.0, 2023-05: 5.0, 2023-06: 5.0"]),
        (["20230105", "20230205", "20230305"], &["2023-01: 5.0, 2023-02: 5.0, 2023-03: 5.0"]),
        (["1672913472", "1675591872", "1675591873"], &["2023-01: 5.0, 2023-02: 10.0"]),
        (["1672913472000", "1675591872", "1675591873000"], &["2023-01: 5.0, 2023-02: 10.0"]),
        (["44931", "44962", "44990"], &["2023-01: 5.0, 2023-02: 5.0, 2023-03: 5.0"]),
        (["23-01-13", "23-02-28", "23-03-31"], &["2023-01: 5.0, 2023-02: 5.0, 2023-03: 5.0", "2013-01: 5.0, 2028-02: 5.0, 2031-03: 5.0"]),
        (["05/Jan/2023:10:11:12 +0000", "05/Feb/2023:10:11:12 +0000", "06/Feb/2023:10:11:12 +0000"], &["2023-01: 5.0, 2023-02: 10.0"]),
        (["yesterday", "2023-01-05", "2023-01-06"], &[]),
        (["1/2/2023", "2/2/2023", "2023-02-30"], &[]),
    ];
    for (dates, right) in dates {
        let row = |at: usize| (dates[at].to_owned(), "1".to_owned(), "5".to_owned());
        let ends = follow(write(&[row(0), row(1), row(2)]).path());
        assert_eq!(answers(&ends), right.iter().copied().collect(), "{dates:?}: {ends:#?}");
    }
}

/// A number of cents as it is written somewhere.
fn amount(cents: u64, way: usize) -> String {
    let (whole, cents) = ((cents / 100).to_string(), format!("{:02}", cents % 100));
    let grouped = |mark: &str| {
        let digits: Vec<char> = whole.chars().rev().collect();
        let groups: Vec<String> = digits.chunks(3).map(|group| group.iter().collect()).collect();
        groups.join(mark).chars().rev().collect::<String>()
    };
    match way {
        0 => format!("{whole}.{cents}"),
        1 => format!("{},{cents}", grouped(".")),
        2 => format!("{}.{cents}", grouped(",")),
        3 => format!("{},{cents}", grouped(" ")),
        _ => format!("€ {whole},{cents}"),
    }
}

fn date(month: u64, day: u64, way: usize) -> String {
    match way {
        0 => format!("2023-{month:02}-{day:02}"),
        1 => format!("{month}/{day}/2023"),
        2 => format!("{day:02}/{month:02}/2023 10:00"),
        3 => format!("{day}.{month}.23"),
        _ => format!("{month:02}-{day:02}-2023 3:04 PM"),
    }
}

/// Files of one way to write, with a few values of others: the numbers are right, unless the person had to choose or rows were left out.
#[test]
fn advice_about_damaged_files_is_never_wrong() {
    for seed in 0..24 {
        let mut dice = Dice(seed);
        let (dates, amounts) = (dice.below(5), dice.below(5));
        let damage = dice.below(5);
        let (mut rows, mut sums, mut damaged) = (Vec::new(), [0; 13], 0);
        for at in 0..30 {
            let (month, day, cents) = (1 + dice.below(12) as u64, 1 + dice.below(28) as u64, 100 + dice.below(900_000) as u64);
            let is_damaged = at % 7 == 3;
            let mut row = (date(month, day, dates), "1".to_owned(), amount(cents, amounts));
            match damage {
                // Another way to write numbers, and one of dates that cannot be the first; a word; a quantity that nothing fits.
                1 if is_damaged => row.2 = amount(cents, (amounts + 1 + dice.below(4)) % 5),
                2 if is_damaged => row.0 = date(month, day.max(13), [2, 1, 1, 2, 2][dates]),
                3 if is_damaged => row.2 = "apples".to_owned(),
                4 if is_damaged => row.1 = "1.000".to_owned(),
                _ => {}
            }
            damaged += u64::from(is_damaged && damage > 0);
            sums[month as usize] += cents;
            rows.push(row);
        }
        let ends = follow(write(&rows).path());
        let windows = (1..13).filter(|&month| sums[month] > 0).map(|month| format!("2023-{month:02}: {}", sums[month] as f64 / 100.0));
        let right = windows.collect::<Vec<_>>().join(", ");
        let shown = |windows: &str| windows.replace(".0,", ",").trim_end_matches(".0").to_owned();
        for end in &ends {
            if let End::Answer { windows, chosen: false, rejects: false } = end {
                assert_eq!(shown(windows), right, "seed {seed}: {ends:#?} {rows:#?}");
            }
        }
        assert!(damaged > 0 || answers(&ends).into_iter().any(|windows| shown(windows) == right), "seed {seed}: {ends:#?} {rows:#?}");
    }
}
