//! `lensflow-ballista`: lensflow on DataFusion Ballista. One binary is the scheduler, the executors and the driver of updates.
//!
//! ```text
//!  update ──plan──▶ scheduler ──tasks──▶ executors ──run files──▶ the state's folder, which all see
//!         ◀──────────── messages ────────────┘
//! ```

mod accumulate;
mod codec;
mod driver;
mod logging;
mod merge;
mod message;
mod work;

use crate::codec::LensflowCodec;
use crate::driver::Cluster;
use anyhow::Context;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use clap::{Args, Parser};
use lensflow::jobs::{AuditJob, Update};
use lensflow::memory::parse_size;
use lensflow::model::{Granularity, MaxRejects, OnBadRow, Windows};
use lensflow::spec::Spec;
use lensflow::text::grouped;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// lensflow on DataFusion Ballista.
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Be the scheduler of a cluster.
    Scheduler(Scheduler),
    /// Be one of its executors.
    Executor(Executor),
    /// Make a saved state, or add to one, by the cluster; the state and the inputs lie where all machines see them.
    Update(UpdateOptions),
    /// Audit a state, in this process.
    Audit(AuditOptions),
}

#[derive(Args)]
struct Scheduler {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:50050")]
    bind: SocketAddr,
    /// The name that executors and drivers reach it by.
    #[arg(long, default_value = "localhost")]
    external_host: String,
    /// Seconds without a word after which an executor is lost.
    #[arg(long, default_value_t = 60)]
    executor_timeout: u64,
}

#[derive(Args)]
struct Executor {
    /// The scheduler's host and port.
    #[arg(long, default_value = "localhost:50050")]
    scheduler: String,
    /// The host to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    bind_host: String,
    /// The name that others reach it by.
    #[arg(long)]
    external_host: Option<String>,
    /// The port for what is shuffled.
    #[arg(long, default_value_t = 50051)]
    port: u16,
    /// The port for tasks.
    #[arg(long, default_value_t = 50052)]
    grpc_port: u16,
    /// Tasks at the same time; one per core where nothing is said.
    #[arg(long)]
    vcores: Option<usize>,
    /// Memory of all tasks together, such as 4GiB; 70 % of the machine's where nothing is said.
    #[arg(long, value_parser = size)]
    memory: Option<u64>,
    /// The folder for what is shuffled and spilled.
    #[arg(long)]
    work_dir: Option<String>,
    /// Seconds between two signs of life.
    #[arg(long, default_value_t = 10)]
    heartbeat: u64,
}

#[derive(Args)]
struct UpdateOptions {
    /// The state's folder.
    state: PathBuf,
    /// Files, folders and globs of period aggregations.
    inputs: Vec<String>,
    /// The scheduler.
    #[arg(long, default_value = "http://localhost:50050")]
    scheduler: String,
    /// The calendar windows of a new state: day, week, month, quarter, half or year.
    #[arg(long)]
    every: Option<Granularity>,
    /// What becomes of bad rows: fail or reject.
    #[arg(long, value_parser = policy, default_value = "fail")]
    on_bad_row: OnBadRow,
    /// How many bad rows may be left out, such as 100 or 2%.
    #[arg(long, default_value = "1%")]
    max_rejects: MaxRejects,
    /// All other options of reading: a file with a lensflow `Spec` as JSON.
    #[arg(long)]
    spec: Option<PathBuf>,
    /// Bytes of an input for one task.
    #[arg(long, value_parser = size, default_value = "128MiB")]
    unit: u64,
    /// Tasks that merge.
    #[arg(long, default_value_t = 16)]
    merges: usize,
    /// Takes in again what was taken in before.
    #[arg(long)]
    allow_duplicate: bool,
}

#[derive(Args)]
struct AuditOptions {
    /// The state's folder.
    state: PathBuf,
    /// The calendar windows to audit.
    #[arg(long)]
    every: Granularity,
    /// A file for the answers, by extension .json, .html, .txt, .md or .xlsx; again for more.
    #[arg(long)]
    report: Vec<PathBuf>,
    /// A table of the customers of each window, .parquet, .csv, .jsonl or .arrow.
    #[arg(long)]
    rfm_out: Option<PathBuf>,
}

/// Executors ask for tasks. Where tasks are pushed to them, Ballista 55 loses count of free executors when one is lost, and waits for ever.
const POLICY: TaskSchedulingPolicy = TaskSchedulingPolicy::PullStaged;

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|e| e.to_string())
}

fn policy(text: &str) -> Result<OnBadRow, String> {
    [OnBadRow::Fail, OnBadRow::Reject].into_iter().find(|policy| policy.name() == text).ok_or_else(|| "it is fail or reject".to_owned())
}

fn main() -> ExitCode {
    logging::start();
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match error.downcast_ref::<lensflow::Error>() {
                Some(error) => eprintln!("error: {error:?}"),
                None => eprintln!("error: {error:#}"),
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Scheduler(options) => tokio::runtime::Runtime::new()?.block_on(scheduler(options)),
        Command::Executor(options) => tokio::runtime::Runtime::new()?.block_on(executor(options)),
        Command::Update(options) => update(options),
        Command::Audit(options) => audit(options),
    }
}

async fn scheduler(Scheduler { bind, external_host, executor_timeout }: Scheduler) -> anyhow::Result<()> {
    let config = SchedulerConfig {
        external_host,
        bind_host: bind.ip().to_string(),
        bind_port: bind.port(),
        scheduling_policy: POLICY,
        executor_timeout_seconds: executor_timeout,
        no_executors_grace_period_seconds: executor_timeout,
        expire_dead_executor_interval_seconds: (executor_timeout / 4).clamp(1, 15),
        override_physical_codec: Some(Arc::new(LensflowCodec::default())),
        ..SchedulerConfig::default()
    };
    let cluster = BallistaCluster::new_from_config(&config).await?;
    Ok(start_server(cluster, bind, Arc::new(config)).await?)
}

async fn executor(options: Executor) -> anyhow::Result<()> {
    let (host, port) = options.scheduler.rsplit_once(':').context("the scheduler is HOST:PORT")?;
    let defaults = ExecutorProcessConfig::default();
    let config = ExecutorProcessConfig {
        bind_host: options.bind_host,
        external_host: options.external_host,
        port: options.port,
        grpc_port: options.grpc_port,
        scheduler_host: host.to_owned(),
        scheduler_port: port.parse().context("the scheduler's port")?,
        scheduler_connect_timeout_seconds: 30,
        vcores: options.vcores.unwrap_or(defaults.vcores),
        memory_pool_size: options.memory,
        work_dir: options.work_dir,
        executor_heartbeat_interval_seconds: options.heartbeat,
        task_scheduling_policy: POLICY,
        override_physical_codec: Some(Arc::new(LensflowCodec::default())),
        ..defaults
    };
    Ok(start_executor_process(Arc::new(config)).await?)
}

fn update(options: UpdateOptions) -> anyhow::Result<()> {
    let spec: Spec = match &options.spec {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} is no spec", path.display()))?
        }
        None => Spec::default(),
    };
    let mut update = Update::default();
    update.spec = spec.with_on_bad_row(options.on_bad_row).with_max_rejects(options.max_rejects);
    (update.every, update.allow_duplicate) = (options.every, options.allow_duplicate);
    let cluster = Cluster { scheduler: options.scheduler, unit: options.unit, merges: options.merges };
    let updated = driver::update(&cluster, &update, &options.state, &options.inputs)?;
    eprintln!(
        "{} rows of {} inputs taken in, {} inputs known: generation {}",
        grouped(updated.rows),
        updated.taken.len(),
        updated.known.len(),
        updated.manifest.generation
    );
    Ok(())
}

fn audit(options: AuditOptions) -> anyhow::Result<()> {
    let spec = Spec::default().with_windows(Windows::Every(options.every));
    let mut job = AuditJob::new([options.state.to_string_lossy()]).spec(spec);
    (job.outputs.reports, job.outputs.rfm) = (options.report, options.rfm_out);
    let audited = job.run(&mut ())?;
    eprintln!("{} customers", grouped(audited.report.input.customers));
    Ok(())
}
