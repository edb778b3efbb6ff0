import { availableParallelism, loadavg, totalmem } from 'node:os';

/** What other work leaves of a machine. */
export interface MachineState {
  /** Processes that want a processor, on average over the last minute. */
  loadLastMinute: number;
  processors: number;
  availableBytes: number;
  /** What the machine has, or what this process and those beside it may take together. */
  totalBytes: number;
}

const LOADED_PER_PROCESSOR = 2;
const SHORT_MEMORY_SHARE = 0.05;

/** Whether what can wait had better wait: upkeep and reports, say. */
export function isLoaded({ loadLastMinute, processors, availableBytes, totalBytes }: MachineState): boolean {
  return loadLastMinute > LOADED_PER_PROCESSOR * processors || availableBytes < SHORT_MEMORY_SHARE * totalBytes;
}

/** As it is now. In a container or under a service manager, memory is what these allow. */
export function machineState(): MachineState {
  const [loadLastMinute = 0] = loadavg();
  const allowedBytes = process.constrainedMemory();
  return {
    loadLastMinute,
    processors: availableParallelism(),
    availableBytes: process.availableMemory(),
    // Without a limit it is told as none, or as more than there is.
    totalBytes: allowedBytes > 0 ? Math.min(allowedBytes, totalmem()) : totalmem(),
  };
}
