//! The command line: clap takes names and texts, and knows nothing else. Commands and their flags come from the table of options, and so
//! do help, completions and the manual page; what texts mean, and what goes together, is for the layers and those after them.

use super::{Entry, Origin, Value, known};
use crate::options::Kind;
use crate::options::option_table::{COLUMN, Flag, Form, OPTIONS, Opt};
use clap::builder::{OsStringValueParser, PossibleValue, TypedValueParser, ValueParser};
use clap::error::{ContextKind, Error as ClapError, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use lensflow::Result;
use lensflow::error::Error;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// A command: how it is called, the kind of its job, what it is for, what longer help says, and what it cannot do without.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) about: &'static str,
    pub(crate) more: &'static str,
    pub(crate) usage: &'static str,
}

/// Sections in the order in which help has them, and what it calls them. Others are the command's own.
const HEADINGS: &[(&str, Option<&str>)] = &[
    ("windows", Some("Windows")),
    ("periods", None),
    ("sketch", None),
    ("compare", None),
    ("generate", None),
    ("peek", None),
    ("inspect", None),
    ("manage", None),
    ("segments", None),
    ("report", Some("Answers")),
    ("rfm", Some("Answers")),
    ("source", Some("Input")),
    ("columns", Some("Input")),
    ("source.synthetic", Some("Customers")),
    ("transactions", Some("Orders and line items")),
    ("limits", Some("Threads and memory")),
    ("state", None),
];

/// Options of input that are about its values.
const READING: &[&str] = &["source.id_format", "source.date_format", "source.encoding", "source.on_bad_row"];

/// Of a command with many options, those that `-h` has; `--help` has all.
const EVERYDAY: &[&str] = &["windows.every", "windows.list", "report.out", "rfm.out", "source.from", "transactions.policy"];

fn is_everyday(page: &Page, row: &Opt) -> bool {
    page.kind != Kind::Audit || EVERYDAY.contains(&row.key)
}

/// The whole command line.
pub(crate) fn command(pages: &[Page]) -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).help(help).global(true).help_heading("Messages").hide_short_help(true)
    };
    let format = flag("log-format", "How messages on stderr are written [default: text]").value_name("FORMAT");
    let color = flag("color", "Whether headings in tables and messages have colours [default: auto, on a terminal]").value_name("WHEN");
    let shell = Arg::new("shell").required(true).value_parser(clap::value_parser!(clap_complete::Shell)).help("The shell");
    Command::new("lensflow")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Customer-base analytics at any size: RFM, Lens 1 and Lens 2 of \"The Customer-Base Audit\", exact to the cent.")
        .max_term_width(110)
        .propagate_version(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(flag("quiet", "Say nothing on stderr but errors").short('q').action(ArgAction::SetTrue).conflicts_with("verbose"))
        .arg(flag("verbose", "Say more on stderr; twice for details").short('v').action(ArgAction::Count))
        .arg(format.value_parser(["text", "json"]))
        .arg(color.value_parser(["auto", "always", "never"]))
        .subcommands(pages.iter().map(subcommand))
        .subcommand(Command::new("completions").about("Print a completion script for a shell").arg(shell))
        .subcommand(Command::new("man").about("Print the manual page"))
}

/// A complaint without clap's advice to write `--` before an unknown flag, which would make it an input. The nearest flag is still named.
pub(crate) fn untipped(mut error: ClapError) -> ClapError {
    if error.kind() == ErrorKind::UnknownArgument {
        error.remove(ContextKind::Suggested);
    }
    error
}

fn subcommand(page: &Page) -> Command {
    let mut command = Command::new(page.name).about(page.about).override_usage(page.usage);
    if !page.more.is_empty() {
        command = command.after_long_help(page.more).after_help("--help says all.");
    }
    let flags = OPTIONS.iter().filter_map(|row| Some((row, row.flag(page.kind)?)));
    let (mut named, flags): (Vec<_>, Vec<_>) = flags.partition(|(_, flag)| flag.is_positional());
    // Inputs are any number, so that they come last.
    named.sort_by_key(|(row, _)| row.form == Form::Texts);
    command = command.args(named.iter().map(|(row, flag)| arg(flag, row.form, None)));
    for (section, heading) in HEADINGS {
        if *section == "columns" && COLUMN.jobs.contains(&page.kind) {
            let column = arg(&COLUMN, Form::Texts, *heading).value_parser(ValueParser::string());
            command = command.arg(column);
        }
        for (row, flag) in flags.iter().filter(|(row, _)| row.section() == *section) {
            let heading = match row.name() {
                name if name.starts_with("checkpoint") => Some("Checkpoints"),
                _ if READING.contains(&row.key) => Some("Reading"),
                _ => *heading,
            };
            command = command.arg(arg(flag, row.form, heading).hide_short_help(!is_everyday(page, row)));
        }
    }
    if page.kind == Kind::Spec {
        let set = Arg::new("set").long("set").value_name("SECTION.KEY=VALUE").action(ArgAction::Append).allow_hyphen_values(true);
        let set = set
            .help("Say something else than the file: limits.workers=2, windows.every=month, source.inputs=[\"a.csv\",\"b.csv\"]; repeat");
        let spec = Arg::new("spec").required(true).value_name("SPEC").value_parser(clap::value_parser!(std::path::PathBuf));
        return command.arg(spec.help("The spec, a TOML file")).arg(set);
    }
    let mode = |name: &'static str| {
        Arg::new(name).long(name).help_heading("Instead of doing it").action(ArgAction::SetTrue).hide_short_help(page.kind == Kind::Audit)
    };
    let save = mode("save-spec")
        .action(ArgAction::Set)
        .value_parser(ValueParser::path_buf())
        .value_name("FILE")
        .help("Write a spec that says this, for lensflow run; - is stdout");
    command
        .arg(mode("explain").help("Say what would be done: stages, workers, memory, files, windows, outputs").conflicts_with("save-spec"))
        .arg(mode("check").help("Check everything that can be known before rows are read").conflicts_with_all(["explain", "save-spec"]))
        .arg(save)
}

fn arg(flag: &'static Flag, form: Form, heading: Option<&'static str>) -> Arg {
    let mut arg = Arg::new(flag.name).help(flag.help).help_heading(heading);
    let words = flag.value.contains('|');
    arg = match form {
        Form::Switch => arg.action(ArgAction::SetTrue),
        Form::Texts | Form::Numbers => arg.action(ArgAction::Append),
        _ => arg.action(ArgAction::Set),
    };
    if form != Form::Switch {
        arg = arg.value_parser(if words { ValueParser::new(Words(flag.value)) } else { ValueParser::os_string() });
    }
    if flag.is_positional() {
        return arg.value_name(flag.name).help_heading(None);
    }
    if flag.name == "output" {
        arg = arg.short('o');
    }
    let value = if words { flag.name.to_uppercase().replace('-', "_") } else { flag.value.to_owned() };
    if form == Form::Switch { arg.long(flag.name) } else { arg.long(flag.name).value_name(value) }
}

/// Words that help and completions offer. Others are texts, too: what is none of the words is refused where specs are.
#[derive(Clone)]
struct Words(&'static str);

impl TypedValueParser for Words {
    type Value = OsString;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<OsString, ClapError> {
        OsStringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.split('|').map(PossibleValue::new)))
    }
}

/// The entries of a command's flags.
///
/// # Errors
/// A column or a key that is not known.
pub(crate) fn entries(page: &Page, matches: &ArgMatches) -> Result<Vec<Entry>> {
    let mut entries = given::<String>(matches, "set").map(|set| setting(set)).collect::<Result<Vec<_>>>()?;
    for row in OPTIONS {
        entries.extend(
            row.flag(page.kind).and_then(|flag| Some(Entry { row, value: said(row, flag, matches)?, origin: Origin::Flag(flag.shown()) })),
        );
    }
    let mut names = BTreeMap::new();
    for text in given::<String>(matches, COLUMN.name) {
        let wrong = || Error::usage(format!("--column {text}: it has no \"=\"")).help("write COLUMN=NAME, such as customer_id=cust_no");
        let (column, name) = text.split_once('=').ok_or_else(wrong)?;
        let columns = || OPTIONS.iter().filter(|row| row.section() == "columns");
        let row = columns().find(|row| row.name() == column).ok_or_else(|| {
            let all = columns().map(Opt::name).collect::<Vec<_>>().join(", ");
            Error::usage(format!("--column {text}: there is no column {column:?}")).help(format!("one of {all}"))
        })?;
        names.entry(row.key).or_insert_with(|| (row, Vec::new())).1.push(name);
    }
    // Several names of a column: the first that an input has counts.
    let entry = |(row, names): (&'static Opt, Vec<&str>)| Entry {
        row,
        value: Value::Text(names.join("|")),
        origin: Origin::Flag(format!("--column {}", row.name())),
    };
    entries.extend(names.into_values().map(entry));
    Ok(entries)
}

fn said(row: &Opt, flag: &Flag, matches: &ArgMatches) -> Option<Value> {
    match row.form {
        Form::Switch => matches.get_flag(flag.name).then_some(Value::Bool(true)),
        Form::Texts => {
            let list: Vec<_> = given::<OsString>(matches, flag.name).map(|text| (Value::of_argument(text, row.form), 0)).collect();
            (!list.is_empty()).then_some(Value::List(list))
        }
        form => {
            let texts: Vec<&OsStr> = given::<OsString>(matches, flag.name).map(OsString::as_os_str).collect();
            (!texts.is_empty()).then(|| Value::of_argument(&texts.join(OsStr::new(",")), form))
        }
    }
}

/// The arguments of a flag, if the command has it.
fn given<'a, T: Clone + Send + Sync + 'static>(matches: &'a ArgMatches, name: &str) -> impl Iterator<Item = &'a T> + use<'a, T> {
    matches.try_get_many::<T>(name).ok().flatten().into_iter().flatten()
}

/// The entry of `--set SECTION.KEY=VALUE`.
fn setting(set: &str) -> Result<Entry> {
    let form = "write --set SECTION.KEY=VALUE, such as --set limits.memory_limit=1GiB";
    let (name, text) = set.split_once('=').ok_or_else(|| Error::usage(format!("--set {set}: it has no \"=\"")).help(form))?;
    let name = name.trim();
    let (section, key) = name.rsplit_once('.').ok_or_else(|| Error::usage(format!("--set {name}: it names no section")).help(form))?;
    let flag = format!("--set {name}");
    if !super::sections().any(|known| known == section) {
        return Err(Error::usage(format!("{flag}: there is no section [{section}]")).help(super::section_advice(section)));
    }
    let row = known(section, key, &flag, |row| row.key.to_owned())?;
    Ok(Entry { row, value: Value::of_setting(text, row.form), origin: Origin::Flag(flag) })
}
