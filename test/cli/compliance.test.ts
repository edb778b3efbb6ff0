import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { newSigningKey } from '../../src/evidence/index.ts';
import { applyPlan, recordReview, Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { document, environment, holdfast } from '../support/cli.ts';
import { DaemonPlace } from '../support/daemon.ts';

const PERIOD = ['--from', '2024-01-01T00:00:00Z', '--to', '2024-04-02T00:00:00Z'];
const MORE = `
verification: [{ name: quarterly, sources: "*", pick: latest, level: proven, schedule: quarterly }]
upkeep: { retain: monthly, prune: quarterly, check: quarterly, replicate: yearly }
ledger: { signingKey: { file: signing.pem }, checkpoints: { schedule: quarterly } }
runbooks: { lost: { scenario: Documents are lost, steps: [{ id: say, do: note, text: it }] } }
drills: [{ runbooks: [lost], schedule: quarterly }]
reviews: { plan: quarterly }
compliance: { frameworks: [soc2, iso27001] }
`;
let place: string;

/** A quarter that a daemon ran by itself, with what people did in it. */
beforeAll(async () => {
  const at = await DaemonPlace.with('2024-01-03T00:00:00Z', { docs: 'monthly' }, MORE);
  place = at.directory;
  writeFileSync(join(place, 'signing.pem'), newSigningKey(), { mode: 0o600 });
  const daemon = await at.daemon();
  await at.run(daemon, '2024-02-10T00:00:00Z');
  const loaded = await loadPlan({ cwd: place, env: {} });
  const workspace = new Workspace(loaded, at.environment);
  await applyPlan(workspace, loaded, 'the first');
  await recordReview(workspace, { review: 'plan', attended: ['Anna'] });
  await at.run(daemon, '2024-04-01T00:00:01Z');
  await daemon.stop('the quarter is over');
});

function copied(): string {
  const directory = mkdtempSync(join(tmpdir(), 'compliance-'));
  cpSync(place, directory, { recursive: true });
  return directory;
}

const env = environment();
const run = (directory: string, ...words: string[]) => holdfast(directory, ['report', 'compliance', ...words], env);
const json = async (directory: string, ...words: string[]) =>
  document(await run(directory, '--json', ...PERIOD, ...words));

describe('holdfast report compliance', () => {
  it('holds a quarter that was lived through against the standards of the plan', async () => {
    const report = await json(place);
    expect(report).toMatchObject({ plan: 'test', frameworks: ['soc2', 'iso27001'], isWhole: true, breaches: [] });
    expect(report.ledgers).toMatchObject([{ repository: 'main', state: 'untampered', faults: [] }]);
    const states = Object.fromEntries(
      report.findings.map((each: { control: string; state: string }) => [each.control, each.state]),
    );
    expect(states).toMatchObject({ 'A.8.13': 'carried', 'A.8.14': 'not-carried', 'CC7.4': 'not-called-for' });
    const logged = document(await holdfast(place, ['--json', 'ledger', 'log'], env)).events;
    const known = new Set(
      logged.map(({ writer, sequence }: { writer: string; sequence: number }) => `main/${writer}/${sequence}`),
    );
    const cited = report.findings.flatMap(({ claims }: { claims: { events: string[] }[] }) =>
      claims.flatMap(({ events }) => events),
    );
    expect(cited.length).toBeGreaterThan(8);
    for (const id of cited) expect(known).toContain(id);
  });

  it('is written in each form, by the standards that are asked for', async () => {
    const text = await run(place, ...PERIOD, '--format', 'text', '--framework', 'hipaa');
    expect([text.exit, text.stdout]).toEqual([
      0,
      expect.stringMatching(/^HIPAA 164\.308\(a\)\(7\)\(ii\)\(C\): Emergency/m),
    ]);
    expect(text.stdout).not.toContain('SOC 2');
    const out = await run(place, ...PERIOD, '--format', 'html', '--out', 'quarter.html');
    expect([out.exit, out.stdout]).toEqual([0, expect.stringContaining('quarter.html')]);
    expect(readFileSync(join(place, 'quarter.html'), 'utf8')).toMatch(
      /^<!DOCTYPE html>.*Compliance of test, 2024-01-01 to/s,
    );
    expect((await run(place, '--framework', 'rumour')).exit).toBe(2);
    expect((await run(place, '--from', '2099-01-01T00:00:00Z')).exit).toBe(2);
  });

  it('claims nothing for a period without events, and says when nothing was recorded', async () => {
    const empty = await json(place, '--to', '2024-01-02T00:00:00Z');
    expect(empty).toMatchObject({ events: 0, isWhole: true });
    expect(empty.findings.flatMap(({ claims }: { claims: unknown[] }) => claims)).toEqual([]);
    const { stdout } = await run(place, ...PERIOD);
    expect(stdout).toMatch(/The ledger begins at 2024-01-03.*Nothing at all was recorded:.*^\| Standard/ms);
  });

  it('says on its first page that an event is gone, and ends with 3', async () => {
    const directory = copied();
    const days = join(directory, 'repository', 'holdfast', 'ledger', 'days');
    const [day] = readdirSync(days).filter((name) => name.startsWith('2024-01'));
    rmSync(join(days, day!), { recursive: true });
    const { exit, stdout } = await run(directory, ...PERIOD);
    const [firstPage = ''] = stdout.split('| Standard');
    expect([exit, firstPage]).toEqual([3, expect.stringMatching(/NOT WHOLE.*Ledger of main: NOT as it was written/s)]);
    expect((await json(directory)).ledgers[0].faults).toContainEqual(expect.objectContaining({ isWithin: true }));
    const exported = await holdfast(directory, ['evidence', 'export', '--kind', 'compliance', ...PERIOD], env);
    expect([exported.exit, exported.stderr]).toEqual([1, expect.stringMatching(/changed or cut|lacks events/)]);
  });

  it('says that a ledger could not be held against its checkpoint, and ends with 3', async () => {
    const directory = copied();
    writeFileSync(join(directory, 'signing.pem'), newSigningKey());
    expect(await json(directory)).toMatchObject({ isWhole: false, ledgers: [{ state: 'unverified' }] });
    const { exit, stdout } = await run(directory, ...PERIOD);
    expect([exit, stdout]).toEqual([3, expect.stringContaining('could NOT be held against its checkpoint')]);
  });

  it('is not written where no ledger can be read', async () => {
    const directory = copied();
    rmSync(join(directory, 'repository'), { recursive: true });
    expect((await run(directory, ...PERIOD)).exit).toBe(10);
  });
});
