//! The table of options: a row for each, with its key in a spec, what it takes, which jobs take it, and its flags with their help.
//! `pipelines/README.md` has the keys in its tables, and a test holds it to this one.

pub(crate) use super::option_row::{Flag, Form, Opt};

use super::Kind::{self, *};

const ALL: &[Kind] = &[Audit, Peek, Periods, Update, Merge, Follow, Sketch, Compare, Generate, Inspect, Manage, Segments];
/// Jobs that read rows, and those of them that read inputs.
const ROWS: &[Kind] = &[Audit, Peek, Periods, Update, Follow, Sketch];
const INPUTS: &[Kind] = &[Audit, Peek, Periods, Update, Sketch];
/// Jobs that an audit may be a part of.
const AUDITED: &[Kind] = &[Audit, Update, Merge, Follow];
/// Those, and the moves between segments, which are told by an audit.
const SCORED: &[Kind] = &[Audit, Update, Merge, Follow, Segments];
const LIMITED: &[Kind] = &[Audit, Peek, Periods, Update, Sketch, Compare, Segments, Spec];

const fn row(key: &'static str, form: Form, jobs: &'static [Kind], flags: &'static [Flag]) -> Opt {
    Opt { key, form, jobs, flags }
}

const fn flag(jobs: &'static [Kind], name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { jobs, name, value, help }
}

const fn column(key: &'static str) -> Opt {
    row(key, Form::Text, ROWS, &[])
}

/// The flag of all `columns.*`.
pub(crate) const COLUMN: Flag = flag(INPUTS, "column", "COLUMN=NAME", "Where the input keeps a column: customer_id=cust_no; repeat");

/// All rows, in the order of the grammar.
#[rustfmt::skip]
pub(crate) const OPTIONS: &[Opt] = &[
    row("source.inputs", Form::Texts, INPUTS, &[
        flag(&[Peek], "INPUT", "", "Files, folders, globs, or - for stdin, as for audit; no states"),
        flag(&[Audit], "INPUT", "", "Files, folders, globs, or - for stdin: Parquet, CSV, JSON, Arrow IPC or workbooks; text may be .gz, .zst, .bz2 or .zip. Or states"),
        flag(&[Periods, Update], "INPUT", "", "Files, folders, globs, or - for stdin, as for audit"),
        flag(&[Sketch], "INPUT", "", "States, files, folders, globs, or - for stdin, as for audit"),
    ]),
    row("source.from", Form::Text, ROWS, &[
        flag(&[Audit, Update, Sketch], "from", "auto|periods|transactions", "What a row is: what a customer did in a period, or an order or a line of one; auto is as the columns tell [default: auto]"),
    ]),
    row("source.layout", Form::Text, &[Audit, Peek, Periods, Update, Sketch], &[
        flag(INPUTS, "layout", "auto|uci-online-retail|shopify|woocommerce|amazon|square|olist|h-and-m|google-merchandise|none", "Which shop's export or public data set it is: columns, dates, and which orders count; auto is as the columns tell [default: auto]"),
    ]),
    row("source.format", Form::Text, ROWS, &[
        flag(INPUTS, "format", "parquet|csv|jsonl|arrow|workbook", "The input's format, where its name and first bytes do not tell"),
    ]),
    row("source.id_format", Form::Text, ROWS, &[
        flag(INPUTS, "id-format", "as-is|integer|trim|fold", "Read ids as they are, as whole numbers (12923.0 is 12923), without the blanks around them, or also in lower case [default: as-is]"),
    ]),
    row("source.null", Form::Texts, ROWS, &[
        flag(INPUTS, "null", "WORD,WORD", "Texts that stand for no value, such as NULL; with commas, or repeat"),
    ]),
    row("source.number_format", Form::Text, ROWS, &[
        flag(INPUTS, "number-format", "plain|1.234,56|1,234.56|1'234.56|1 234,56", "How amounts and counts are written [default: plain]"),
    ]),
    row("source.amount_unit", Form::Text, ROWS, &[
        flag(INPUTS, "amount-unit", "units|cents|millionths", "What amounts of money count, in whole numbers where it is parts [default: units]"),
    ]),
    row("source.date_format", Form::Texts, ROWS, &[
        flag(INPUTS, "date-format", "FORMAT", "How dates are written that are not ISO 8601, as for strftime: \"%m/%d/%Y %H:%M\" for 12/1/2010 8:26; or epoch, epoch-ms, epoch-us, epoch-ns, excel; repeat for several ways"),
    ]),
    row("source.naive_times", Form::Text, ROWS, &[
        flag(INPUTS, "naive-times", "utc|local", "The clock of times without an offset: UTC, or that of --timezone [default: utc]"),
    ]),
    row("source.encoding", Form::Text, ROWS, &[
        flag(INPUTS, "encoding", "utf8|latin1", "What the bytes of CSV and JSONL mean [default: utf8]"),
    ]),
    row("source.period_ends", Form::Text, &[Audit, Update, Follow, Sketch], &[
        flag(&[Audit, Update, Sketch], "period-ends", "exclusive|inclusive", "Whether period_end is the first day after a period, or its last [default: exclusive]"),
    ]),
    row("source.quote", Form::Text, ROWS, &[
        flag(INPUTS, "quote", "double|none", "What a quote in a CSV is: around fields, doubled within them, or plain text [default: double, but a doubtful one ends the run]"),
    ]),
    row("source.escape", Form::Text, ROWS, &[
        flag(INPUTS, "escape", "CHAR", "What makes a quote plain text in a quoted field of a CSV, \\ as MySQL and Hive write it [default: a doubled quote alone]"),
    ]),
    row("source.header_line", Form::Number, ROWS, &[
        flag(INPUTS, "header-line", "N", "The line of a CSV's header, from 1; lines before it are left out [default: the first that has the columns]"),
    ]),
    row("source.only", Form::Texts, ROWS, &[
        flag(INPUTS, "only", "COLUMN=V,V", "Read only rows with one of these values in a column of the input: status=paid,shipped; repeat for several columns"),
    ]),
    row("source.except", Form::Texts, ROWS, &[
        flag(INPUTS, "except", "COLUMN=V,V", "Do not read rows with one of these values in a column of the input; repeat"),
    ]),
    row("source.sheet", Form::Text, ROWS, &[
        flag(INPUTS, "sheet", "NAME", "The sheet to read of workbooks [default: the first]"),
    ]),
    row("source.max_field", Form::Text, ROWS, &[
        flag(INPUTS, "max-field", "SIZE", "The longest id that is read; inputs may also unpack to 64 times as much, beside 1,024 times their size [default: 1MiB]"),
    ]),
    row("source.on_bad_row", Form::Text, &[Audit, Periods, Update, Merge, Follow, Sketch], &[
        flag(INPUTS, "on-bad-row", "fail|reject", "What to do about a bad row: end the run, or leave it out and count it [default: fail, or what a state was made with]"),
    ]),
    row("source.fail_fast", Form::Switch, &[Audit, Periods, Sketch], &[
        flag(&[Audit, Periods, Sketch], "fail-fast", "", "End the run at the first bad row, instead of reading on and telling all of them together"),
    ]),
    row("source.max_rejects", Form::Text, ROWS, &[
        flag(INPUTS, "max-rejects", "N|P%", "With --on-bad-row reject: how many rows may be bad [default: 1%, or up to 10 rows if those are not more than half]"),
    ]),
    row("source.synthetic", Form::Table, &[Audit, Generate], &[]),
    row("source.follow", Form::Text, &[Follow], &[]),
    row("source.glob", Form::Text, &[Follow], &[]),
    row("source.poll", Form::Text, &[Follow], &[]),
    row("source.finished", Form::Text, &[Follow], &[]),
    row("source.done", Form::Text, &[Follow], &[]),
    row("source.quarantine", Form::Text, &[Follow], &[]),
    row("source.synthetic.customers", Form::Text, &[Audit, Generate], &[
        flag(&[Generate], "customers", "N", "How many customers; 10K, 10M and 1G are understood"),
    ]),
    row("source.synthetic.scenario", Form::Text, &[Audit, Generate], &[
        flag(&[Generate], "scenario", "baseline|high-churn|product-recall|heavy-promotion|product-launch|seasonal|stable", "How they behave [default: baseline]"),
    ]),
    row("source.synthetic.seed", Form::Number, &[Audit, Generate], &[
        flag(&[Generate], "seed", "SEED", "Other rows for every other seed [default: 42]"),
    ]),
    row("source.synthetic.from", Form::Text, &[Audit, Generate], &[
        flag(&[Generate], "from", "YYYY-MM", "The first month [default: 2023-01]"),
    ]),
    row("source.synthetic.to", Form::Text, &[Audit, Generate], &[
        flag(&[Generate], "to", "YYYY-MM", "The last month, inclusive [default: 2023-12]"),
    ]),
    row("source.synthetic.skew", Form::Text, &[Audit, Generate], &[
        flag(&[Generate], "skew", "uniform|zipf|hot", "How rows fall on customers; hot gives half of all rows to one [default: uniform]"),
    ]),
    row("source.synthetic.ids", Form::Text, &[Audit, Generate], &[
        flag(&[Generate], "ids", "sequential|uuid|email|unicode", "What ids look like [default: sequential]"),
    ]),
    row("source.synthetic.null_timestamps", Form::Number, &[Audit, Generate], &[
        flag(&[Generate], "null-timestamps", "SHARE", "The share of period rows without last_transaction_ts, 0 to 1 [default: 0]"),
    ]),
    row("transactions.one_row_per_order", Form::Switch, ROWS, &[
        flag(INPUTS, "one-row-per-order", "", "Each row is a whole order: nothing is grouped, no duplicates are looked for; order ids that come again are noted"),
    ]),
    row("transactions.policy", Form::Text, ROWS, &[
        flag(INPUTS, "policy", "strict|shop", "shop: --refunds net --anonymous report --duplicates drop, where these are not given; strict: all three fail [default: strict]"),
    ]),
    row("transactions.amount", Form::Text, ROWS, &[
        flag(INPUTS, "amount", "auto|total|order|price|none", "What says the worth of a line: line_total or else quantity x unit_price, line_total only, line_total once for each order, quantity x unit_price only, or nothing [default: auto]"),
    ]),
    row("transactions.refunds", Form::Text, ROWS, &[
        flag(INPUTS, "refunds", "fail|net|drop", "Lines with a negative quantity or worth: end the run, take them off what the customer spent, or leave them out [default: fail]"),
    ]),
    row("transactions.anonymous", Form::Text, ROWS, &[
        flag(INPUTS, "anonymous", "fail|drop|report", "Lines without a customer: end the run, leave them out, or report their orders and revenue apart [default: fail]"),
    ]),
    row("transactions.anonymous_id", Form::Texts, ROWS, &[
        flag(INPUTS, "anonymous-id", "ID,ID", "Ids that are no customers', such as 0 or Guest; with commas, or repeat"),
    ]),
    row("transactions.duplicates", Form::Text, ROWS, &[
        flag(INPUTS, "duplicates", "fail|drop|between-inputs|keep", "Lines of an order that are equal in customer, time, product, quantity, worth and margin: end the run, count one of them, count those of one input alone, or count them all; lines without a product are left out with drop and between-inputs only [default: fail]"),
    ]),
    row("transactions.timezone", Form::Text, ROWS, &[
        flag(INPUTS, "timezone", "ZONE", "The time zone whose calendar orders belong to, such as Europe/Berlin [default: UTC]"),
    ]),
    column("columns.customer_id"),
    column("columns.period_start"),
    column("columns.period_end"),
    column("columns.total_orders"),
    column("columns.total_spend"),
    column("columns.last_transaction_ts"),
    column("columns.order_id"),
    column("columns.event_ts"),
    column("columns.quantity"),
    column("columns.unit_price"),
    column("columns.line_total"),
    column("columns.line_margin"),
    column("columns.unit_margin"),
    column("columns.unit_cost"),
    column("columns.product_id"),
    row("state.path", Form::Text, &[Update, Merge, Follow], &[
        flag(&[Update], "STATE", "", "The state's folder, which is made at first"),
        flag(&[Merge], "OUT", "", "The folder of the new state, or the file of the new partial"),
    ]),
    row("state.every", Form::Text, &[Update, Follow], &[
        flag(&[Update], "every", "day|week|month|quarter|half|year", "The calendar windows of a new state; audits may use these and unions of them [default: month]"),
    ]),
    row("state.allow_duplicate", Form::Switch, &[Update, Merge], &[
        flag(&[Update], "allow-duplicate", "", "Take in again what was taken in before"),
        flag(&[Merge], "allow-duplicate", "", "Merge also states that have taken in the same input"),
    ]),
    row("state.replace", Form::Switch, &[Update, Follow], &[
        flag(&[Update], "replace", "", "A file takes the place of the one that was taken in before under its name: the earlier rows are taken out"),
    ]),
    row("state.allow_changed", Form::Switch, &[Update, Follow], &[
        flag(&[Update], "allow-changed", "", "Add a file whose name came before with other contents"),
    ]),
    row("state.undo", Form::Text, &[Update, Follow], &[
        flag(&[Update], "undo", "TIME", "How long inputs can be taken out again, such as 30d; 0s keeps nothing apart [default: that of the state, at first 30d]"),
    ]),
    row("state.order_ids", Form::Text, &[Update, Follow], &[
        flag(&[Update], "order-ids", "keep|none", "Whether a new state keeps the ids of its orders, so that orders which come again in a later file are left out; without them they count twice [default: none]"),
    ]),
    row("state.rejects", Form::Text, &[Update], &[
        flag(&[Update], "rejects", "PATH", "Write what is left out of the inputs, with reasons; needs --on-bad-row reject"),
    ]),
    row("state.merge", Form::Texts, &[Merge], &[
        flag(&[Merge], "INPUT", "", "The states or the partials to merge; they stay as they are"),
    ]),
    row("state.disjoint", Form::Switch, &[Merge], &[
        flag(&[Merge], "disjoint", "", "Merge also partials whose customers are not known to differ: you say that no customer is in two of them"),
    ]),
    row("state.commit", Form::Text, &[Follow], &[]),
    row("state.commit_rows", Form::Number, &[Follow], &[]),
    row("state.checkpoint", Form::Text, &[Audit], &[
        flag(&[Audit], "checkpoint", "FOLDER", "Keep a checkpoint in a folder: interrupted and started again with the same arguments, the run goes on from there. Not of transactions"),
    ]),
    row("state.checkpoint_every", Form::Text, &[Audit], &[
        flag(&[Audit], "checkpoint-every", "TIME", "The time between two checkpoints, such as 2m or 90s [default: 2m]"),
    ]),
    row("windows.every", Form::Text, SCORED, &[
        flag(&[Audit, Segments], "every", "day|week|month|quarter|half|year|all|rolling-90d", "Audit the calendar windows that the rows fall in; weeks are ISO weeks, and all is one window; or windows of so many days, the last of which ends with --as-of or the last day of a state by day"),
    ]),
    row("windows.list", Form::Texts, SCORED, &[
        flag(&[Audit, Segments], "window", "WINDOW", "A window to audit, [NAME=]START..END[@OBSERVATION_END] or a calendar period such as 2023-Q3; repeat in time order"),
    ]),
    row("windows.as_of", Form::Text, SCORED, &[
        flag(&[Audit, Segments], "as-of", "DATE", "See the windows as of the end of a day: what lies after it is left out of them, and recency counts back from it; of a state, the end of one of its periods, or a day after its last row"),
    ]),
    row("windows.year_starts", Form::Text, &[Audit, Periods, Update, Merge, Follow, Segments], &[
        flag(&[Audit, Periods, Update, Segments], "year-starts", "MM-DD", "The day a fiscal year starts on, for quarters, halves and years [default: 01-01]"),
    ]),
    row("limits.workers", Form::Number, ALL, &[
        flag(LIMITED, "workers", "N", "Threads that decode and accumulate; one per core by default"),
        flag(&[Generate], "workers", "N", "Threads; one per core by default"),
    ]),
    row("limits.memory_limit", Form::Text, ALL, &[
        flag(LIMITED, "memory-limit", "SIZE", "Memory that the process may take up, such as 2GiB, 512MB or 50%; what does not fit is spilled [default: 70%]"),
    ]),
    row("limits.spill_dir", Form::Text, ALL, &[
        flag(LIMITED, "spill-dir", "FOLDER", "Folder to spill into, instead of the system's for temporary files"),
    ]),
    row("limits.batch_rows", Form::Number, ALL, &[]),
    row("report.out", Form::Texts, SCORED, &[
        flag(&[Audit, Segments], "report", "PATH", "Write the answers to a file, .html, .xlsx, .json, .md or .txt by extension; - is JSON on stdout; repeat for several"),
    ]),
    row("report.percentiles", Form::Numbers, &[Audit, Update, Merge, Follow, Compare], &[
        flag(&[Audit], "percentiles", "P,P", "Report the share of revenue of the top p % of customers, for each p; or repeat [default: 10,20]"),
        flag(&[Compare], "percentiles", "P,P", "Report the share of revenue of the top p % of customers, for each p; or repeat; not of sketches [default: 10,20]"),
    ]),
    row("report.cohorts", Form::Switch, AUDITED, &[
        flag(&[Audit], "cohorts", "", "Lenses 3, 4 and 5, too: customers by the window they came in, what becomes of each such cohort, and what each window has of which"),
    ]),
    row("report.cohorts_out", Form::Text, AUDITED, &[
        flag(&[Audit], "cohorts-out", "PATH", "Write a row per cohort and window: age, active customers, orders, revenue; asks for --cohorts, too"),
    ]),
    row("report.migration_out", Form::Text, SCORED, &[
        flag(&[Audit, Segments], "migration-out", "PATH", "Write a row per pair of windows and customer: retained, churned, new or reactivated; with --segments, also from which segment to which"),
    ]),
    row("report.rejects", Form::Text, AUDITED, &[
        flag(&[Audit], "rejects", "PATH", "Write what was left out, with reasons; needs --on-bad-row reject"),
    ]),
    row("report.partial_out", Form::Text, &[Audit, Update, Merge], &[
        flag(&[Audit], "partial-out", "PATH", "Write a Lens 1 partial, which lensflow merge and compare combine with those of other customers; it names no customer"),
    ]),
    row("report.json_numbers", Form::Text, &[Audit, Update, Merge, Follow, Compare, Segments], &[
        flag(&[Audit, Compare, Segments], "json-numbers", "number|text", "How JSON has amounts and percentages: as numbers, 12.50, or as texts, \"12.50\" [default: number]"),
    ]),
    row("report.template", Form::Text, SCORED, &[
        flag(&[Audit, Segments], "template", "FILE", "A template of one's own for an .html report, in Jinja's language"),
    ]),
    row("report.currency", Form::Text, SCORED, &[
        flag(&[Audit, Segments], "currency", "CODE", "The currency that amounts of an .html report have beside them, such as EUR [default: none]"),
    ]),
    row("report.locale", Form::Text, SCORED, &[
        flag(&[Audit, Segments], "locale", "LOCALE", "How an .html report writes numbers: en, 1,234.50; de, 1.234,50; fr, de-CH and others [default: en]"),
    ]),
    row("report.csv_safe", Form::Switch, &[Audit, Periods, Update, Merge, Follow, Manage, Segments], &[
        flag(&[Audit, Periods, Update, Manage, Segments], "csv-safe", "", "In CSV tables, put an apostrophe before texts that a spreadsheet would take for formulas"),
    ]),
    row("report.refresh", Form::Text, &[Follow], &[]),
    row("rfm.out", Form::Text, SCORED, &[
        flag(&[Audit, Segments], "rfm-out", "PATH", "Write a row per customer and window with RFM metrics and scores, .parquet, .csv, .jsonl or .arrow"),
    ]),
    row("rfm.columns", Form::Text, SCORED, &[
        flag(&[Audit, Segments], "columns", "COLUMNS", "The columns of --rfm-out: +last_order_ts,first_order_ts adds to the usual ones; customer_id,rfm_score has these alone; or those of another package, autoclv, r or lifetimes"),
    ]),
    row("rfm.bins", Form::Number, &[Audit, Update, Merge, Follow, Compare, Segments], &[
        flag(&[Audit, Segments], "bins", "N", "Score bins per dimension, 1 to 9 [default: 5]"),
        flag(&[Compare], "bins", "N", "Score bins per dimension, 1 to 9; not of sketches [default: 5]"),
    ]),
    row("rfm.cuts", Form::Texts, SCORED, &[
        flag(&[Audit, Segments], "cuts", "MEASURE=C,C", "Score recency, frequency or monetary by cut points, frequency=1,2,3,5, instead of each window's own quantiles; or by a file of --cuts-out; repeat"),
    ]),
    row("rfm.cuts_out", Form::Text, AUDITED, &[
        flag(&[Audit], "cuts-out", "PATH", "Write the cut points of a window as JSON, to score other windows by with --cuts"),
    ]),
    row("rfm.cuts_window", Form::Text, AUDITED, &[
        flag(&[Audit], "cuts-window", "NAME", "The window of --cuts-out [default: the last with customers]"),
    ]),
    row("rfm.segments", Form::Text, SCORED, &[
        flag(&[Audit, Segments], "segments", "FILE", "Name groups of customers: standard has eleven, from champions to lost; or rules of your own in a TOML file. Adds a column to --rfm-out and tables to the answers"),
    ]),
    row("rfm.sorted", Form::Switch, SCORED, &[
        flag(&[Audit, Segments], "sorted", "", "Sort rows by window and customer_id, instead of the engine's own order"),
    ]),
    row("segments.action", Form::Text, &[Segments], &[
        flag(&[Segments], "ACTION", "check|move", "check: draw the grid of scores with the segments in each cell; move: who moved from which segment to which"),
    ]),
    row("segments.of", Form::Text, &[Segments], &[
        flag(&[Segments], "FILE", "", "With check: standard, or a file of rules; with move: the folder of a state"),
    ]),
    row("serve.metrics", Form::Text, &[Follow], &[]),
    row("periods.every", Form::Text, &[Periods], &[
        flag(&[Periods], "every", "day|week|month|quarter|half|year", "The calendar period of a row"),
    ]),
    row("periods.out", Form::Text, &[Periods], &[
        flag(&[Periods], "output", "PATH", "The file to write, .parquet, .csv, .jsonl or .arrow; - is CSV on stdout"),
    ]),
    row("sketch.window", Form::Text, &[Sketch], &[
        flag(&[Sketch], "window", "WINDOW", "The window whose customers to sketch"),
    ]),
    row("sketch.lg_k", Form::Number, &[Sketch], &[
        flag(&[Sketch], "lg-k", "K", "Keep up to 2^K hashes of 8 bytes: estimates are off by 2/sqrt(2^K) in 95 of 100 cases at most, 0.8 % for 16 [default: 16]"),
    ]),
    row("sketch.out", Form::Text, &[Sketch], &[
        flag(&[Sketch], "output", "PATH", "The file to write"),
    ]),
    row("compare.a", Form::Text, &[Compare], &[
        flag(&[Compare], "A", "", "STATE@WINDOW, or the file of a sketch or a partial"),
    ]),
    row("compare.b", Form::Text, &[Compare], &[
        flag(&[Compare], "B", "", "What to compare it with, likewise"),
    ]),
    row("compare.json", Form::Switch, &[Compare], &[
        flag(&[Compare], "json", "", "Print JSON instead of a table"),
    ]),
    row("compare.disjoint", Form::Switch, &[Compare], &[
        flag(&[Compare], "disjoint", "", "Put partials together also where their customers are not known to differ: you say that no customer is in both"),
    ]),
    row("generate.out", Form::Text, &[Generate], &[
        flag(&[Generate], "output", "PATH", "The file to write, .parquet, .csv, .jsonl or .arrow; CSV and JSONL also .gz or .zst; - is CSV on stdout"),
    ]),
    row("generate.as", Form::Text, &[Generate], &[
        flag(&[Generate], "as", "periods|transactions", "What the rows are: transactions are the line items of these customers' orders, with equal sums [default: periods]"),
    ]),
    row("generate.format", Form::Text, &[Generate], &[
        flag(&[Generate], "format", "parquet|csv|jsonl|arrow", "The format, where the file's name does not tell"),
    ]),
    row("peek.all", Form::Switch, &[Peek], &[
        flag(&[Peek], "all", "", "Read everything, not only the beginning"),
    ]),
    row("peek.json", Form::Switch, &[Peek], &[
        flag(&[Peek], "json", "", "Print JSON instead of text"),
    ]),
    row("inspect.path", Form::Text, &[Inspect], &[
        flag(&[Inspect], "PATH", "", "A state's folder, or the file of a Lens 1 partial, of a sketch, or of a run in a state's folder"),
    ]),
    row("inspect.json", Form::Switch, &[Inspect], &[
        flag(&[Inspect], "json", "", "Print JSON instead of text; of states and run files"),
    ]),
    row("manage.action", Form::Text, &[Manage], &[
        flag(&[Manage], "ACTION", "history|remove|forget|drop|export", "history: what came in; remove: take inputs out; forget: take customers out; drop: drop old periods; export: a row for each customer and period"),
    ]),
    row("manage.state", Form::Text, &[Manage], &[
        flag(&[Manage], "STATE", "", "The state's folder"),
    ]),
    row("manage.names", Form::Texts, &[Manage], &[
        flag(&[Manage], "NAME", "", "The inputs to remove, as the history names them, day.csv or, of several, day.csv@3; or the customers to forget"),
    ]),
    row("manage.before", Form::Text, &[Manage], &[
        flag(&[Manage], "before", "DATE", "With drop: what customers did before this day goes for good, that they existed stays; a period of the state begins on it"),
    ]),
    row("manage.out", Form::Text, &[Manage], &[
        flag(&[Manage], "output", "PATH", "The table of an export, .parquet, .csv, .jsonl or .arrow; - is CSV on stdout"),
    ]),
    row("manage.json", Form::Switch, &[Manage], &[
        flag(&[Manage], "json", "", "Print the history as JSON"),
    ]),
];

/// Options of which one is said: one that a later layer says takes the place of what an earlier one said.
pub(crate) const ALTERNATIVES: &[&[&str]] = &[&["source.inputs", "source.synthetic", "source.follow"], &["windows.every", "windows.list"]];
