import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { document, holdfast, scratchDirectory } from '../support/cli.ts';
import { requires } from '../support/requirements.ts';

describe.skipIf(!requires('postgresql', 'restic'))('the demo', { timeout: 120_000 }, () => {
  it('recovers everything, measures it, leaves nothing running, and a plan with which one can go on', async () => {
    const directory = scratchDirectory();
    const ran = await holdfast(directory, ['demo', '--json', '--directory', directory]);
    expect(ran.stderr).toContain('DISASTER');
    const report = document(ran);
    expect(report.comparison.differences).toEqual({ database: [], uploads: [] });
    expect(report.orders).toMatchObject({ lost: 0, tooMany: 0 });
    expect([report.verdict, ran.exit]).toEqual(['recovered', 0]);
    expect(report.comparison.rows).toBeGreaterThan(290_000);
    expect(Math.min(report.orders.before, report.orders.after)).toBeGreaterThan(10);
    expect(report.comparison.files).toBeGreaterThan(390);
    expect(report.lost).toMatchObject({ dropped: { table: 'payments' }, overwritten: { table: 'customers' } });
    expect(report.lost.deleted.files).toBeGreaterThan(390);
    expect(report.proofs.map(({ state }: { state: string }) => state)).toEqual(['proven', 'proven']);
    for (const figure of ['databaseRpoMs', 'rpoMs', 'rtoMs']) expect(report.actual[figure]).toBeGreaterThan(0);
    expect(report.actual.rpoMs).toBeLessThan(report.objectives.rpoMs);
    expect(report.actual.rtoMs).toBeLessThan(report.objectives.rtoMs);
    expect(Object.keys(report.elapsedMs)).toEqual(expect.arrayContaining(['backup', 'prove', 'recover', 'compare']));
    expect(report.restic.check).toBe('no errors were found');
    expect(report.leftovers).toEqual({ processes: [], sockets: [] });
    expect(existsSync(report.world.recovered)).toBe(false);

    const { world } = report;
    const status = document(await holdfast(world.directory, ['status', '--json'])).sources;
    expect(status.map(({ last }: { last: { proof: string } }) => last.proof)).toEqual(['proven', 'proven']);
    expect((await holdfast(world.directory, ['verify'])).exit).toBe(0);
    expect((await holdfast(world.directory, ['restore', 'uploads', '--to', 'again'])).exit).toBe(0);
    expect(existsSync(world.repository)).toBe(true);
    const password = readFileSync(world.passwordFile, 'utf8').trim();
    expect(readFileSync(world.plan, 'utf8')).not.toContain(password);
  });
});
