import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { document, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';

it('says what was promised and what was kept of it, for people and for programs', async () => {
  const directory = scratchDirectory();
  writeFileSync(join(directory, 'file'), 'content');
  writePlan(
    directory,
    `  etc: { type: files, paths: [${directory}/file], schedule: daily, objectives: { rpo: 26h, rto: 1h, proof: 8d } }
  never: { type: files, paths: [${directory}/file], schedule: daily, objectives: { rpo: 26h } }`,
  );
  await initialise(directory);
  for (const words of [
    ['backup', 'etc'],
    ['verify', 'etc'],
  ]) {
    expect((await holdfast(directory, words)).exit).toBe(0);
  }
  const one = document(await holdfast(directory, ['objectives', 'etc', '--json']));
  const [etc] = one.sources;
  expect(etc).toMatchObject({ source: 'etc', missed: [], rpo: { breachMs: 0, withoutMs: 0 }, proof: { breachMs: 0 } });
  expect(etc.rpo.maxMs).toBeGreaterThan(0);
  expect(etc.rto.proofs).toHaveLength(1);
  expect(etc.rto.forecast).toEqual({ state: 'not-enough', reason: 'fewer than 3 proofs' });
  expect(etc.success.backup[0]).toMatchObject({ days: 7, succeeded: 1, rate: 1 });
  expect(etc.success.verify[0]).toMatchObject({ succeeded: 1, rate: 1 });
  expect(Date.parse(one.to) - Date.parse(one.from)).toBe(30 * 24 * 3_600_000);

  const all = await holdfast(directory, ['objectives', '--since', '7d ago']);
  // What was never backed up misses its RPO.
  expect(all.exit).toBe(4);
  expect(all.stdout).toMatch(/^never +1 d 2 h +none/m);
  expect(all.stdout).toContain('not enough to say: fewer than 3 proofs');
  expect((await holdfast(directory, ['objectives', 'etc'])).stdout).toContain('worst RPO');
  expect((await holdfast(directory, ['objectives', 'etcc'])).exit).toBe(2);
  expect((await holdfast(directory, ['objectives', '--since', 'soon'])).stderr).toContain('is no time');
});
