//! The work of a task on threads of its own: batches in, batches out, within the memory that the executor grants the task.

use crate::message::{Packer, schema};
use datafusion::arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::StreamExt;
use lensflow::error::Kind;
use lensflow::tasks::Limits;
use lensflow::{Cancel, Error};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The least memory that a task works in.
const LEAST: usize = 64 << 20;

/// The batches that a task gets.
pub type Incoming = mpsc::Receiver<Result<RecordBatch>>;

/// Where a task works.
pub struct Room {
    pub limits: Limits,
    pub cancel: Cancel,
    /// Held as long as it works.
    _reserved: MemoryReservation,
}

/// Ends the work when nobody waits for it any more.
struct Abandoned(Cancel);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `work` for a partition, with the batches of the input; what it puts out becomes the stream.
pub fn run(
    input: &Arc<dyn ExecutionPlan>,
    partition: usize,
    context: Arc<TaskContext>,
    work: impl FnOnce(Incoming, &Room, &mut dyn FnMut(u32, &[u8]) -> lensflow::Result<()>) -> Result<()> + Send + 'static,
) -> Result<SendableRecordBatchStream> {
    let room = room(&context)?;
    let guard = Abandoned(room.cancel.clone());
    let mut batches = input.execute(partition, context)?;
    let mut builder = RecordBatchReceiverStream::builder(schema(), 2);
    let (send, incoming) = mpsc::channel(2);
    builder.spawn(async move {
        while let Some(batch) = batches.next().await {
            let is_last = batch.is_err();
            if send.send(batch).await.is_err() || is_last {
                break;
            }
        }
        Ok(())
    });
    let out = builder.tx();
    builder.spawn_blocking(move || {
        let mut packer = Packer::default();
        let gone = || Error::internal("the rows of a task are not wanted any more");
        let send = |batch: RecordBatch| out.blocking_send(Ok(batch)).map_err(|_| gone());
        work(incoming, &room, &mut |key, bytes| match packer.push(key, bytes) {
            Ok(Some(batch)) => send(batch),
            Ok(None) => Ok(()),
            Err(e) => Err(Error::internal("rows cannot be packed").cause(e)),
        })?;
        let rest = packer.take()?;
        if rest.num_rows() > 0 { send(rest).map_err(failed) } else { Ok(()) }
    });
    let stream = builder.build().inspect(move |_| {
        let _ = &guard;
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema(), stream)))
}

/// The memory of a task: three fifths of what it may have, because what comes out of it is sorted in the rest; and the executor's folder for
/// temporary files.
fn room(context: &TaskContext) -> Result<Room> {
    let pool = context.memory_pool();
    let reserved = MemoryConsumer::new("lensflow").register(pool);
    let memory = match pool.memory_limit() {
        MemoryLimit::Finite(most) => Some((most / 5 * 3).max(LEAST)),
        _ => None,
    };
    memory.map_or(Ok(()), |memory| reserved.try_grow(memory))?;
    // The file tells the folder.
    let file = context.runtime_env().disk_manager.create_tmp_file("lensflow")?;
    let spill_dir = file.path().and_then(|path| path.parent()).map(Into::into);
    let limits = Limits { memory: memory.map(|memory| memory as u64), workers: Some(1), spill_dir };
    Ok(Room { limits, cancel: Cancel::default(), _reserved: reserved })
}

/// An error as Ballista takes it: those of reading and writing are tried again, all others end the job.
pub fn failed(error: Error) -> DataFusionError {
    match error.kind() {
        Kind::Io => DataFusionError::IoError(std::io::Error::other(format!("{error:?}"))),
        _ => DataFusionError::Execution(format!("{error:?}")),
    }
}
