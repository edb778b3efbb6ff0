import type { TaskKind } from '../../operations/index.ts';
import { workBackup } from './backup.ts';
import { workCheckpoint } from './checkpoint.ts';
import { workDrill } from './drill.ts';
import { workArchive, workReplicate } from './replicate.ts';
import { workReport } from './report.ts';
import { workCheck, workPrune, workRetain } from './upkeep.ts';
import { workVerify } from './verify.ts';
import type { Work } from './work.ts';

/** Who does the jobs of each kind. What is followed is no job: it never ends. */
export const WORK: Readonly<Partial<Record<TaskKind, Work>>> = {
  backup: workBackup,
  verify: workVerify,
  archive: workArchive,
  replicate: workReplicate,
  retain: workRetain,
  prune: workPrune,
  check: workCheck,
  checkpoint: workCheckpoint,
  report: workReport,
  drill: workDrill,
};
