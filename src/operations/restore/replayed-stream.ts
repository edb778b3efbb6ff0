import type { Progress } from '../../foundation/progress.ts';
import { formatSize } from '../../foundation/units.ts';
import { earlier, type LogPosition, type LogRange, lsnText } from '../../repository/index.ts';
import type { LogToReplay } from '../../source/index.ts';
import { PatientLog } from '../log/patient-log.ts';
import { StoredLog } from '../log/stored-log.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import type { RecoveryPoint } from './recovery-point.ts';

/** So much is read at a time. */
const CHUNK_BYTES = 4n * 1024n * 1024n;

/** The part of a stream that leads from a backup to a recovery point. `close` ends what reads it. */
export class ReplayedStream implements LogToReplay {
  readonly bytes: number;
  readonly end: LogPosition;
  readonly #system: string;
  readonly #path: readonly LogRange[];
  readonly #log: PatientLog;

  /** @param progress is told of a repository that is waited for */
  constructor(
    { environment: { signal }, plan }: Workspace,
    { repository }: Pick<OpenedRepository, 'repository'>,
    { log, system, baseEnd, cut }: RecoveryPoint,
    progress: Progress,
  ) {
    this.end = cut;
    this.#system = system;
    this.#path = log
      .pathFrom(system, baseEnd)
      .filter(({ timeline }) => timeline <= cut.timeline)
      .map((range) => (range.timeline === cut.timeline ? { ...range, end: earlier(range.end, cut.lsn) } : range));
    this.bytes = Number(this.#path.reduce((sum, { start, end }) => sum + end - start, 0n));
    const owner = { plan: plan.name, source: log.tail.owner.source };
    this.#log = new PatientLog(
      log,
      () => StoredLog.read(repository, owner, async () => (await readableSnapshots(repository)).snapshots),
      { signal, note: (message) => progress.note(message) },
    );
  }

  async *read(): AsyncGenerator<Buffer, void> {
    for (const { timeline, start, end } of this.#path) {
      for (let at = start; at < end; at += CHUNK_BYTES) {
        const part = { timeline, start: at, end: earlier(at + CHUNK_BYTES, end) };
        yield await this.#log.read((log) => log.read(this.#system, part));
      }
    }
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

/** As a person is told of it. */
export function recoveredTo({ bytes, end }: LogToReplay): { reached: string } {
  return { reached: `${formatSize(bytes)} of its stream, up to ${lsnText(end.lsn)}` };
}
