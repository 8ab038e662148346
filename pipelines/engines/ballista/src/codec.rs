//! Our plans as bytes, beside Ballista's own: a first byte tells them apart. Client, scheduler and executors all need this codec.

use crate::accumulate::AccumulateExec;
use crate::merge::MergeExec;
use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use lensflow::tasks::EngineJob;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

const OURS: u8 = 1;
const BALLISTA: u8 = 0;

/// A plan of ours, without its input.
#[derive(Serialize, Deserialize)]
enum Node<'a> {
    Accumulate { job: Cow<'a, EngineJob> },
    Merge { job: Cow<'a, EngineJob>, folder: PathBuf },
}

/// Ballista's codec, and plans of lensflow.
#[derive(Debug, Default)]
pub struct LensflowCodec(BallistaPhysicalExtensionCodec);

impl PhysicalExtensionCodec for LensflowCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrong = |what: &str| DataFusionError::Internal(format!("a plan cannot be read: {what}"));
        match bytes.split_first() {
            Some((&BALLISTA, bytes)) => self.0.try_decode(bytes, inputs, context, converter),
            Some((&OURS, bytes)) => {
                let node = serde_json::from_slice(bytes).map_err(|e| DataFusionError::External(e.into()))?;
                let [input] = inputs else { return Err(wrong("it has one input")) };
                Ok(match node {
                    Node::Accumulate { job } => Arc::new(AccumulateExec::new(input.clone(), Arc::new(job.into_owned()))),
                    Node::Merge { job, folder } => Arc::new(MergeExec::new(input.clone(), Arc::new(job.into_owned()), folder)),
                })
            }
            _ => Err(wrong("it is of another version of lensflow-ballista")),
        }
    }

    fn try_encode(&self, node: Arc<dyn ExecutionPlan>, bytes: &mut Vec<u8>, converter: &dyn PhysicalProtoConverterExtension) -> Result<()> {
        let ours = if let Some(accumulate) = node.downcast_ref::<AccumulateExec>() {
            Node::Accumulate { job: Cow::Borrowed(&*accumulate.job) }
        } else if let Some(merge) = node.downcast_ref::<MergeExec>() {
            Node::Merge { job: Cow::Borrowed(&*merge.job), folder: merge.folder.clone() }
        } else {
            let mut theirs = Vec::new();
            self.0.try_encode(node, &mut theirs, converter)?;
            bytes.push(BALLISTA);
            bytes.append(&mut theirs);
            return Ok(());
        };
        bytes.push(OURS);
        serde_json::to_writer(bytes, &ours).map_err(|e| DataFusionError::External(e.into()))
    }
}
