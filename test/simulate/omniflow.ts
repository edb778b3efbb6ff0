/** The first playbook: an application on Firestore, backed up every night. */
import { closeSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { check } from '../../src/operations/index.ts';
import { startFirestore } from '../support/firestore.ts';
import type { Failure, Scenario } from './scenario.ts';
import { DAY_MS, HOUR_MS, type World } from './world.ts';

const COLLECTIONS = [
  'companies',
  'users',
  'leads',
  'contacts',
  'campaigns',
  'deals',
  'activities',
  'automations',
  'apiConfigurations',
];

export async function omniflow(world: World, startMs: number): Promise<Scenario> {
  const firestore = await startFirestore();
  const server = firestore.server;
  if (server === undefined) throw new Error('a simulated year needs a server whose clock can be moved');
  server.createDatabase('projects/omniflow-proofs/databases/(default)');
  const repository = join(world.directory, 'omniflow');
  const plan = `version: 1
name: omniflow
objectives: { rpo: 26h, rto: 4h, proof: 15d }
repositories:
  primary: { store: ${repository}, password: { env: HOLDFAST_PASSWORD } }
  archive:
    store: ${repository}-archive
    password: { env: HOLDFAST_ARCHIVE_PASSWORD }
    copies: { from: primary, sources: [crm], schedule: weekly on sunday at 03:00 }
    retention: { weekly: 4, monthly: 12, yearly: forever }
sources:
  crm:
    type: firestore
    project: ${firestore.project}
    emulator: ${firestore.host}
    collections: [${COLLECTIONS.join(', ')}]
    schedule: daily at 02:00
    retention: { daily: 7, weekly: 4, monthly: 12, yearly: forever }
    validate:
      - { name: there are companies, collection: companies, count: { atLeast: 1 } }
sandboxes:
  proofs: { type: firestore, project: omniflow-proofs }
verification:
  - { name: daily, sources: "*", pick: latest, level: checked, schedule: daily at 05:00 }
  - { name: weekly, sources: [crm], pick: random, from: 7d, level: proven, schedule: weekly on monday at 06:00, sandbox: proofs }
reviews: { strategy: monthly, audit: yearly }
reports: [{ kind: verification, schedule: weekly on monday at 08:00, to: [lead-mail] }]
${world.alerting}`;
  let written = 0;
  const document = (number: number) => ({ n: { integerValue: String(number) }, t: { stringValue: `text ${number}` } });
  const live = async (nowMs: number): Promise<void> => {
    server.advance(Math.max(0, nowMs - server.nowMicros() / 1000));
    const isNight = new Date(nowMs).getUTCHours() === 1 && new Date(nowMs).getUTCMinutes() === 30;
    if (written > 0 && !isNight) return;
    const documents = COLLECTIONS.flatMap((collection) => {
      const some = written === 0 ? [0, 1, 2, 3, 4, 5, 6, 7] : [written % 8];
      return some.map((each) => [`${collection}/d${each}`, document(written + each)] as const);
    });
    written++;
    await firestore.write(Object.fromEntries(documents));
  };
  return {
    ...{ name: 'omniflow', plan, live, close: () => firestore.close() },
    failures: failuresOf(world, {
      startMs,
      repository,
      deny: (isDenied) => (isDenied ? server.denied.add('RunQuery') : server.denied.delete('RunQuery')),
    }),
    retentions: { crm: { daily: 7, weekly: 4, monthly: 12, yearly: 'forever' } },
    verifications: { daily: { atHour: 5 }, weekly: { atHour: 6, weekday: 1 } },
    reviews: { strategy: { atHour: 0, dayOfMonth: 1 }, audit: { atHour: 0, dayOfMonth: 1, months: [0] } },
  };
}

function failuresOf(
  world: World,
  { startMs, repository, deny }: { startMs: number; repository: string; deny(isDenied: boolean): unknown },
): Failure[] {
  const firstNight = Math.ceil(startMs / DAY_MS) * DAY_MS + 2 * HOUR_MS;
  const night = (number: number): number => firstNight + number * DAY_MS;
  return [
    {
      name: 'nobody may read the documents',
      ...{ fromMs: night(3) - HOUR_MS / 2, untilMs: night(3) + 2 * HOUR_MS },
      ...{ begin: () => void deny(true), end: () => void deny(false) },
      alert: { rule: 'backup-failed', subject: 'crm', severity: 'p2' },
    },
    {
      name: 'the pager takes nothing while nobody may read the documents',
      ...{ fromMs: night(6) - HOUR_MS / 2, untilMs: night(6) + 2 * HOUR_MS },
      begin: () => {
        deny(true);
        world.pager.answer = { status: 500 };
      },
      end: () => {
        deny(false);
        world.pager.answer = { status: 202, body: '{"status":"success"}' };
      },
      alert: { rule: 'channel-failed', subject: 'pager', severity: 'p2' },
    },
    {
      name: 'a byte of each pack is another',
      ...{ fromMs: night(9) + 2.5 * HOUR_MS, untilMs: night(9) + 5 * HOUR_MS },
      begin: () => flipBytes(repository),
      async end(workspace) {
        flipBytes(repository);
        await check(workspace, { repositories: ['primary'], readData: true, readHeaders: false });
      },
      alert: { rule: 'verification-failed', subject: 'crm', severity: 'p1' },
    },
  ];
}

/** One in each pack: the same again puts it right. */
function flipBytes(repository: string): void {
  const entries = readdirSync(join(repository, 'data'), { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const file = openSync(join(entry.parentPath, entry.name), 'r+');
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, 40);
    writeSync(file, Buffer.from([byte[0]! ^ 1]), 0, 1, 40);
    closeSync(file);
  }
}
