//! The driver: an update of a state whose tasks a cluster runs.

use crate::accumulate::AccumulateExec;
use crate::codec::LensflowCodec;
use crate::merge::MergeExec;
use crate::message::rows;
use ballista_core::execution_plans::execute_physical_plan;
use ballista_core::extension::SessionConfigExt;
use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::StreamExt;
use lensflow::Error;
use lensflow::error::Kind;
use lensflow::jobs::{Update, Updated};
use lensflow::tasks::{EngineJob, TaskMessage, WorkUnit};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A cluster, and how work is divided among its tasks.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The scheduler, as a URL.
    pub scheduler: String,
    /// Bytes of a work unit, about.
    pub unit: u64,
    /// Tasks that merge.
    pub merges: usize,
}

/// How often a job is run before it is given up, and how long to wait before it is run again.
const TRIES: usize = 4;
const PAUSE: Duration = Duration::from_secs(2);

/// Updates a state in a folder that all machines see.
///
/// # Errors
/// Those of [`Update::run_on`]; a cluster that cannot be reached, or that gives a job up.
pub fn update(cluster: &Cluster, update: &Update, state: &Path, inputs: &[String]) -> lensflow::Result<Updated> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::io("no threads to wait for the cluster", e))?;
    // Executors may have other working folders, and messages name inputs.
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|e| Error::io("it has no absolute path", e).input(path.to_string_lossy()));
    let state = absolute(state)?;
    let inputs = inputs.iter().map(|input| Ok(absolute(Path::new(input))?.to_string_lossy().into_owned()));
    let inputs = inputs.collect::<lensflow::Result<Vec<_>>>()?;
    update.run_on(&state, &inputs, cluster.unit, |job, units| {
        // A job whose results lay with an executor that died is lost as a whole. What it has written is swept, and nothing of it counts.
        let mut tries = 0;
        loop {
            let plan = plan(cluster, job, &units, &state).map_err(lost)?;
            tries += 1;
            match runtime.block_on(submit(cluster, plan)) {
                Err(error) if tries < TRIES && !is_final(&error) => {
                    log::warn!("the job is run again: {error}");
                    std::thread::sleep(PAUSE);
                }
                done => return done,
            }
        }
    })
}

/// Whether running the job again would be of no use: it was not that results could not be fetched. Without executors, a job would wait for ever.
fn is_final(error: &Error) -> bool {
    !error.to_string().contains("Error connecting to Ballista")
}

fn lost(error: datafusion::error::DataFusionError) -> Error {
    let error = Error::new(Kind::Io, "the cluster has not done the job").cause(error);
    error.help("the state is what it was: look at the scheduler's and the executors' logs, and run the update again")
}

/// Units, each a partition → accumulate → shuffle by key → merge.
fn plan(cluster: &Cluster, job: &EngineJob, units: &[WorkUnit], state: &Path) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = Arc::new(Schema::new(vec![Field::new("unit", DataType::Utf8, false)]));
    let batch = |unit: &WorkUnit| {
        let text = serde_json::to_string(unit).map_err(|e| datafusion::error::DataFusionError::External(e.into()))?;
        Ok(vec![RecordBatch::try_new(schema.clone(), vec![Arc::new(StringArray::from(vec![text]))])?])
    };
    let units = units.iter().map(batch).collect::<Result<Vec<_>>>()?;
    let job = Arc::new(job.clone());
    // The only leaf in memory of which Ballista gives each task its own part, and not all of it.
    let leaf = MemorySourceConfig::try_new_exec(&units, schema, None)?;
    let accumulate = Arc::new(AccumulateExec::new(leaf, job.clone()));
    let by_key = Partitioning::Hash(vec![Arc::new(Column::new("key", 0))], cluster.merges.max(1));
    let shuffled = Arc::new(RepartitionExec::try_new(accumulate, by_key)?);
    Ok(Arc::new(MergeExec::new(shuffled, job, PathBuf::from(state))))
}

/// Has a plan run, and gives the messages that come back.
async fn submit(cluster: &Cluster, plan: Arc<dyn ExecutionPlan>) -> lensflow::Result<Vec<TaskMessage>> {
    let codec = Arc::new(LensflowCodec::default());
    let config = SessionConfig::new_with_ballista()
        .with_ballista_physical_extension_codec(codec.clone())
        // A task that is lost is one work unit, and all of a task's memory is that unit's.
        .set_str("ballista.scheduler.max_partitions_per_task", "1");
    let session = format!("lensflow-{:016x}", RandomState::new().hash_one(std::process::id()));
    let ballista = config.ballista_config();
    let stream = execute_physical_plan::<PhysicalPlanNode>(cluster.scheduler.clone(), &ballista, plan, &*codec, session, config);
    let mut batches = stream.await.map_err(lost)?;
    let mut messages = Vec::new();
    while let Some(batch) = batches.next().await {
        for (_, bytes) in rows(&batch.map_err(lost)?).map_err(lost)? {
            messages.push(TaskMessage::from_bytes(&bytes)?);
        }
    }
    Ok(messages)
}
