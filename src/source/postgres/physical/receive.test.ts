import { expect, it } from 'vitest';
import { noise } from '../../../../test/support/repository.ts';
import { tarFile, tarHeader } from '../../../../test/support/tar.ts';
import { systemClock } from '../../../foundation/clock.ts';
import { noProgress } from '../../../foundation/progress.ts';
import type { SnapshotWriter } from '../../../repository/index.ts';
import type { Session } from '../session.ts';
import { type BackupReceiver, runBaseBackup } from './base-backup.ts';
import { parseLsn } from './lsn.ts';
import { ClusterReceiver } from './receive.ts';

const damaged = (message: RegExp) => ({ code: 'archive-damaged', message: expect.stringMatching(message) });

/** Takes what a server sends of its data directory, of which `/srv/fast` is a tablespace. */
async function received(...entries: Buffer[]): Promise<ClusterReceiver> {
  const stream = { write: async () => {}, end: async () => ({ content: [], sizeBytes: 0 }), abort: () => {} };
  const receiver = new ClusterReceiver({
    writer: { openFile: async () => stream } as unknown as SnapshotWriter,
    context: { clock: systemClock, progress: noProgress },
    ...{ directoryMode: 0o700, pages: undefined, cutBytes: () => 1 << 16 },
  });
  const tablespaces = [{ oid: '16384', path: '/srv/fast' }];
  receiver.start({ lsn: parseLsn('0/100'), lsnText: '0/100', timeline: 1, tablespaces, bytes: 0 });
  receiver.archive(undefined);
  for (const entry of entries) await receiver.content(entry);
  return receiver;
}

const control = tarFile('global/pg_control', noise(100));
const label = tarFile('backup_label', noise(100));

it('a cluster is whole with what makes it one, and with nothing of it less', async () => {
  expect((await received(control, label)).data.has('backup_label')).toBe(true);
  for (const part of [control, label]) {
    const receiver = await received(part);
    expect(() => receiver.data).toThrow(expect.objectContaining(damaged(/no pg_control or no backup_label/)));
  }
});

it('a link in a cluster is that of a tablespace which the server named, and leads nowhere else', async () => {
  const link = (name: string) => tarHeader({ name, type: '2', link: '/etc' });
  expect((await received(link('pg_tblspc/16384'), control, label)).data.has('pg_tblspc/16384')).toBe(true);
  for (const name of ['pg_tblspc/16385', 'base', 'pg_wal']) {
    await expect(received(link(name))).rejects.toMatchObject(damaged(/a link that is none of a tablespace/));
  }
});

it('an archive of a tablespace that the server did not name is refused', async () => {
  const receiver = await received();
  expect(() => receiver.archive('16385')).toThrow(expect.objectContaining(damaged(/which it did not name/)));
});

it('a backup of which the server does not say where it stops is none', async () => {
  const ended = { query: (query: { handleReadyForQuery(): void }) => query.handleReadyForQuery() };
  const session = { client: ended, run: (_: string, work: () => Promise<unknown>) => work() } as unknown as Session;
  const running = runBaseBackup(session, {} as BackupReceiver);
  await expect(running).rejects.toMatchObject(damaged(/does not say where the backup stops/));
});
