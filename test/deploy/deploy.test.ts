import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Metrics } from '../../src/daemon/api/metrics.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { requires } from '../support/requirements.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const known = new Set(new Metrics('0.0.0', systemClock).names);

function namedIn(expression: string): string[] {
  return expression.match(/\b(?:holdfast|process)_[a-z_]+/g) ?? [];
}

interface Rule {
  alert: string;
  expr: string;
  annotations: { summary: string; command: string };
}

describe('what watches Holdfast', () => {
  it('draws metrics that there are, each panel at a place of its own', () => {
    const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana/holdfast.json'), 'utf8'));
    const panels = dashboard.panels as { id: number; gridPos: object; targets: { expr: string }[] }[];
    const drawn = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namedIn(expr)));
    expect(drawn.filter((name) => !known.has(name))).toEqual([]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ gridPos }) => JSON.stringify(gridPos))).size).toBe(panels.length);
    for (const { targets } of panels) expect(targets.flatMap(({ expr }) => namedIn(expr))).not.toEqual([]);
    // Whoever adds a metric shows it to somebody.
    const rules = readFileSync(join(DEPLOY, 'prometheus/holdfast.rules.yaml'), 'utf8');
    expect([...known].filter((name) => !drawn.includes(name) && !rules.includes(name))).toEqual([]);
  });

  it('alarms by metrics that there are, and says what to do', () => {
    const { groups } = parse(readFileSync(join(DEPLOY, 'prometheus/holdfast.rules.yaml'), 'utf8'));
    const rules = groups.flatMap((group: { rules: Rule[] }) => group.rules) as Rule[];
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr, annotations } of rules) {
      expect([alert, namedIn(expr).filter((name) => !known.has(name))]).toEqual([alert, []]);
      expect(annotations).toEqual({ summary: expect.stringMatching(/\.$/), command: expect.any(String) });
    }
    expect(parse(readFileSync(join(DEPLOY, 'prometheus/scrape.yaml'), 'utf8'))[0].job_name).toBe('holdfast');
  });
});

describe.skipIf(!requires('systemd-analyze'))('the unit of systemd', () => {
  it('is right, and leaves little to who breaks in', () => {
    const directory = mkdtempSync(join(tmpdir(), 'unit-'));
    const unit = join(directory, 'holdfast.service');
    writeFileSync(
      unit,
      readFileSync(join(DEPLOY, 'holdfast.service'), 'utf8').replace('/usr/bin/holdfast', process.execPath),
    );
    const analyze = (...words: string[]) => spawnSync('systemd-analyze', [...words, unit], { encoding: 'utf8' });
    const verified = analyze('verify');
    expect([verified.status, verified.stderr]).toEqual([0, '']);
    const judged = analyze('security', '--offline=yes', '--no-pager', '--threshold=20');
    expect([judged.status, judged.stdout.match(/Overall exposure level.*/)?.[0]]).toEqual([0, expect.anything()]);
  });
});
