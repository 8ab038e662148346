//! The first stage: work units → rows of customers by partition.

use crate::message::schema;
use crate::work::{failed, run};
use datafusion::arrow::array::{Array, StringArray};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use lensflow::tasks::{EngineJob, WorkUnit, accumulate};
use std::fmt;
use std::sync::Arc;

/// Reads work units, which come as rows of JSON.
#[derive(Debug)]
pub struct AccumulateExec {
    input: Arc<dyn ExecutionPlan>,
    pub job: Arc<EngineJob>,
    properties: Arc<PlanProperties>,
}

impl AccumulateExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, job: Arc<EngineJob>) -> Self {
        let properties = properties(&input);
        AccumulateExec { input, job, properties }
    }
}

/// As many partitions as the input has, of rows.
pub fn properties(input: &Arc<dyn ExecutionPlan>) -> Arc<PlanProperties> {
    let partitions = Partitioning::UnknownPartitioning(input.output_partitioning().partition_count());
    let equal = EquivalenceProperties::new(schema());
    Arc::new(PlanProperties::new(equal, partitions, EmissionType::Final, Boundedness::Bounded))
}

impl DisplayAs for AccumulateExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccumulateExec")
    }
}

impl ExecutionPlan for AccumulateExec {
    fn name(&self) -> &str {
        "AccumulateExec"
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
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("AccumulateExec has one input".to_owned()))?;
        Ok(Arc::new(AccumulateExec::new(input, self.job.clone())))
    }

    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let job = self.job.clone();
        run(&self.input, partition, context, move |mut incoming, room, out| {
            let mut units = Vec::<WorkUnit>::new();
            while let Some(batch) = incoming.blocking_recv() {
                let batch = batch?;
                let wrong = || DataFusionError::Internal("work units are not texts".to_owned());
                let texts = batch.columns().first().and_then(|column| column.as_any().downcast_ref::<StringArray>()).ok_or_else(wrong)?;
                for text in texts.iter().flatten() {
                    units.push(serde_json::from_str(text).map_err(|e| DataFusionError::External(e.into()))?);
                }
            }
            accumulate(&job, units, &room.limits, &room.cancel, out).map_err(failed)
        })
    }
}
