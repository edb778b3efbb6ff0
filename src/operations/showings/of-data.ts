import { formatDuration, formatSize } from '../../foundation/units.ts';
import { wasAttempted } from '../restore/attempted.ts';
import type { Showing, Shown, ShowsByKind } from './showing.ts';

const of = (what: Shown, subject: string, result: Showing['result'], more: Partial<Showing> = {}) => ({
  ...{ what, subject, result },
  ...more,
});

/** Backups, proofs and what keeps them. */
export const OF_DATA: ShowsByKind = {
  'backup.finished': ({ source, outcome, only, durationMs, bytesProcessed }) => {
    if (only !== undefined) return undefined;
    const words = formatSize(bytesProcessed);
    return of('backup', source, outcome === 'complete' ? 'done' : 'partial', { durationMs, words });
  },
  'backup.failed': ({ source, only, code, message }) =>
    only !== undefined || code === 'interrupted' ? undefined : of('backup', source, 'failed', { words: message }),
  'run.died': ({ task }) => notBackedUp(task, 'its process died'),
  'run.missed': ({ task, count }) => notBackedUp(task, `it was due and did not run, ${count}×`),
  'proof.recorded': ({ source, part, state, durationMs, checksFailed, reason }) => {
    if (part === true) return undefined;
    if (state === 'proven') return of('proof', source, 'done', { durationMs });
    const words = state === 'failed' ? checksFailed.join(', ') : `not provable here: ${reason ?? ''}`;
    return of('proof', source, 'failed', { words });
  },
  'restore.finished': ({ source, outcome, durationMs, target }) => {
    if (source === undefined) return undefined;
    return of('restore', source, outcome === 'complete' ? 'done' : 'partial', { durationMs, words: target });
  },
  'restore.failed': ({ source, code, message }) =>
    source === undefined || !wasAttempted(code) ? undefined : of('restore', source, 'failed', { words: message }),
  'retention.decided': ({ source, kept, removed }) =>
    of('retention', source, 'done', { words: `${kept} kept, ${removed.length} removed` }),
  'verification.finished': ({ verification, outcome, sources, durationMs }) => {
    const wrong = sources.filter(({ state }) => state !== 'checked' && state !== 'proven');
    const words = wrong.map(({ source, state }) => `${source}: ${state}`).join(', ');
    return of('verification', verification, outcome, { durationMs, ...(words !== '' && { words }) });
  },
  'group.verified': ({ group, state, checksFailed }) =>
    of('group', group, state === 'proven' ? 'done' : 'failed', { words: [state, ...checksFailed].join(', ') }),
  'check.finished': ({ repository, clean, readData, subset, errors }) => {
    const read = readData ? `${subset ?? 'all'} of the data read` : 'no data read';
    return of('check', repository, clean ? 'done' : 'failed', { words: clean ? read : `${errors} errors` });
  },
  'checkpoint.signed': ({ events }) => of('checkpoint', '', 'done', { words: `${events} events` }),
  'mirror.finished': ({ mirror, lagMs }) =>
    of('mirror', mirror, 'done', { words: `${formatDuration(lagMs)} behind before it` }),
  'mirror.failed': ({ mirror, message }) => of('mirror', mirror, 'failed', { words: message }),
  'archive.finished': ({ archive, failed, sources }) => {
    const words = failed.length === 0 ? sources.map(({ source }) => source) : failed.map(({ source }) => source);
    return of('archive', archive, failed.length === 0 ? 'done' : 'partial', { words: words.join(', ') });
  },
  'archive.failed': ({ archive, message }) => of('archive', archive, 'failed', { words: message }),
};

function notBackedUp(task: string, words: string) {
  const [kind, source = ''] = task.split(':');
  return kind === 'backup' ? of('backup', source, 'failed', { words }) : undefined;
}
