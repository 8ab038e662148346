//! The second stage: rows by partition → run files in the state's folder, and messages for the driver.

use crate::accumulate::properties;
use crate::message::rows;
use crate::work::{failed, run};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream};
use lensflow::Error;
use lensflow::tasks::{EngineJob, MESSAGE, merge};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Merges the rows of some keys.
#[derive(Debug)]
pub struct MergeExec {
    input: Arc<dyn ExecutionPlan>,
    pub job: Arc<EngineJob>,
    /// The state's folder, which all machines see.
    pub folder: PathBuf,
    properties: Arc<PlanProperties>,
}

impl MergeExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, job: Arc<EngineJob>, folder: PathBuf) -> Self {
        let properties = properties(&input);
        MergeExec { input, job, folder, properties }
    }
}

impl DisplayAs for MergeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MergeExec")
    }
}

impl ExecutionPlan for MergeExec {
    fn name(&self) -> &str {
        "MergeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("MergeExec has one input".to_owned()))?;
        Ok(Arc::new(MergeExec::new(input, self.job.clone(), self.folder.clone())))
    }

    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (job, folder) = (self.job.clone(), self.folder.clone());
        run(&self.input, partition, context, move |mut incoming, room, out| {
            // What the shuffle fails with says which map stage has to run again: it goes on as it is.
            let mut lost = None;
            let mut ready = Vec::new().into_iter();
            let read = std::iter::from_fn(|| {
                loop {
                    if let Some(row) = ready.next() {
                        return Some(Ok(row));
                    }
                    match incoming.blocking_recv()?.and_then(|batch| rows(&batch)) {
                        Ok(next) => ready = next.into_iter(),
                        Err(e) => {
                            lost = Some(e);
                            return Some(Err(Error::internal("the rows of another task did not come")));
                        }
                    }
                }
            });
            let merged = merge(&job, read, &folder, &room.limits, &room.cancel);
            if let Some(lost) = lost {
                return Err(lost);
            }
            let messages = merged.map_err(failed)?;
            messages.iter().try_for_each(|message| out(MESSAGE, &message.to_bytes()?)).map_err(failed)
        })
    }
}
