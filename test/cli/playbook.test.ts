/** The playbook of each example, held against the figures that the originals have; and one with a repository behind it. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { coverageDocument } from '../../scripts/playbooks/document.ts';
import { missingFromRendered } from '../../scripts/playbooks/rendered.ts';
import { projectRoot } from '../house/fixture-tree.ts';
import { document, environment, holdfast, initialise, scratchDirectory } from '../support/cli.ts';

const EXAMPLES = ['omniflow.yaml', 'omni-enterprise.yaml'];
const coverage = coverageDocument.parse(parse(readFileSync(join(projectRoot, 'examples', 'coverage.yaml'), 'utf8')));

/** Where nothing of what a plan names is to be had. */
async function rendered(example: string) {
  return holdfast(scratchDirectory(), ['--plan', join(projectRoot, 'examples', example), 'report', 'playbook'], {
    PATH: '',
    XDG_STATE_HOME: scratchDirectory(),
  });
}

describe('the playbook of an example', () => {
  it('has every chapter and number of the original, with nothing in reach, and says so with exit code 3', async () => {
    const texts = new Map<string, string>();
    for (const example of EXAMPLES) {
      const { exit, stdout } = await rendered(example);
      expect(exit).toBe(3);
      expect(stdout).toContain('The repository primary could not be read');
      expect(stdout).not.toMatch(/undefined|\[object|NaN/);
      texts.set(example, stdout);
    }
    expect(missingFromRendered(coverage, texts)).toEqual([]);
    const enterprise = texts.get('omni-enterprise.yaml');
    expect(enterprise).toContain('waits until 2 of DevOps lead, CTO agree: Open to users again?');
    expect(enterprise).toMatch(/^# Call DevOps lead, .*, and CTO.*: Open to users again\?$/m);
    expect(enterprise).toContain('backs up omni-db, sessions and proves them in a sandbox');
    // Each figure is looked for: without those of one chapter, the chapter is named.
    const cut = texts.get('omniflow.yaml')!.replace('| crm | daily at 02:00 |', '| crm | daily at 03:00 |');
    expect(missingFromRendered(coverage, new Map([...texts, ['omniflow.yaml', cut]]))).toEqual([
      'omniflow.yaml: Schedules, Retention, Where backups are kept does not say 2:00 AM',
    ]);
    const without = texts.get('omni-enterprise.yaml')!.replace('### Drills', '### Something else');
    expect(missingFromRendered(coverage, new Map([...texts, ['omni-enterprise.yaml', without]]))).toContain(
      'omni-enterprise.yaml: there is no chapter Drills',
    );
  });
});

const SECRETS = { HOOK_URL: 'https://hooks.example/very-secret-path', HOOK_SECRET: 'of-the-hook-alone' };

/** A plan with most of what can be promised, and with a mirror of its repository. */
function platform(directory: string): string {
  for (const name of ['orders', 'notes']) {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, 'file'), `of ${name}`);
  }
  const source = (name: string) =>
    `{ type: files, paths: [${join(directory, name)}], schedule: daily, retention: { daily: 7 } }`;
  return `version: 1
name: shop
description: Where people buy | and *sell*.
objectives: { rpo: 26h, rto: 4h, proof: 8d }
repositories:
  main: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }
  other: { store: ./mirror, mirrorOf: main }
  cold: { store: ./cold, password: { env: HOLDFAST_PASSWORD }, copies: { from: main, sources: [orders], schedule: weekly } }
sources:
  orders: ${source('orders')}
  notes: ${source('notes')}
verification: [{ name: weekly, sources: "*", schedule: weekly }]
contacts: { lead: { role: Lead, channel: hook } }
alerts:
  channels: { hook: { type: webhook, url: { env: HOOK_URL }, secret: { env: HOOK_SECRET } } }
  escalation: [{ after: 0m, notify: [lead] }, { after: 90m, notify: [lead], untilResolved: true }]
  rules: { drill-overdue: false }
runbooks:
  lost:
    scenario: All is lost
    objectives: { rto: 1h }
    params: { target: { required: true, help: an empty directory } }
    steps:
      - { id: tell, do: notify, to: [lead], message: "Lost since \${incident.since}.", within: 5m, drill: skip }
      - { id: point, do: recovery-point, source: orders, choose: latest, within: 1m }
      - { id: restore, do: restore, source: orders, at: "\${point.time}", to: "\${target}", within: 30m }
      - { id: hand, do: task, ask: "It is switched over", byHand: "Call the provider.\\nSay the word.", drill: skip }
  never: { scenario: Never tried, steps: [{ id: go, do: note, text: go }] }
drills: [{ runbooks: "*", schedule: monthly }]
reviews: { strategy: monthly, audit: yearly }
`;
}

describe('the playbook of a plan that is carried out', () => {
  it('has what was shown beside each promise, from a mirror where the repository is gone, and no secret', async () => {
    const directory = scratchDirectory();
    const plan = platform(directory);
    writeFileSync(join(directory, 'holdfast.yaml'), plan);
    for (const repository of ['repository', 'cold']) await initialise(directory, repository);
    const env = environment(SECRETS);
    const run = (...words: string[]) => holdfast(directory, words, env);
    const states = async () => {
      const ran = await run('report', 'playbook', '--json');
      const { promises } = document(ran);
      const stateOf = ({ kind, subject, state }: Record<string, string>) => [`${kind} ${subject}`, state];
      return { ran, report: document(ran), states: Object.fromEntries(promises.map(stateOf)) };
    };
    expect(new Set(Object.values((await states()).states))).toEqual(new Set(['never-shown']));
    for (const words of [
      ['backup'],
      ['verify', 'orders'],
      ['drill', 'lost'],
      ['review', 'record', 'strategy', '--attended', 'Anna'],
      ['plan', 'apply', '-m', 'the first'],
      ['replicate'],
      ['check', 'cold'],
    ]) {
      expect(await run(...words)).toMatchObject({ exit: words[0] === 'drill' ? expect.any(Number) : 0 });
    }
    const shown = await states();
    expect(shown.ran.exit).toBe(0);
    expect(shown.states).toMatchObject({
      ...{ 'rpo orders': 'kept', 'rto orders': 'kept', 'proof orders': 'kept', 'schedule orders': 'kept' },
      ...{ 'rpo notes': 'kept', 'rto notes': 'never-shown', 'proof notes': 'never-shown', 'retention notes': 'shown' },
      ...{ 'runbook lost': 'kept', 'runbook never': 'never-shown', 'step lost.restore': 'kept' },
      ...{ 'step lost.tell': 'never-shown', 'drill 1 lost': 'kept', 'drill 1 never': 'never-shown' },
      ...{ 'review strategy': 'kept', 'review audit': 'never-shown', 'mirror other': 'kept' },
      ...{ 'verification weekly': 'never-shown', 'channel hook': 'never-shown', 'check main': 'never-shown' },
      ...{ 'archive cold': 'kept', 'check cold': 'kept' },
    });
    expect(shown.report).toMatchObject({ unread: [], revisions: [{ revision: 1, why: 'the first' }] });
    expect(shown.report.months.at(-1).sources[0]).toMatchObject({
      ...{ source: 'orders', rto: { count: 1, promisedMs: 4 * 3_600_000 } },
      success: { backup: { succeeded: 1, rate: 1 }, verify: { succeeded: 1, rate: 1 } },
    });
    const metrics = await run('report', 'metrics', '--months', '2', '--json');
    expect([metrics.exit, document(metrics).months, document(metrics).quarters]).toMatchObject([0, [{}, {}], [{}]]);
    expect((await run('report', 'metrics', '--months', '0')).exit).toBe(2);
    const agenda = await run('review', 'agenda', 'audit', '--format', 'text');
    expect(agenda).toMatchObject({ exit: 0, stdout: expect.stringContaining('notes restored and validated: never') });
    expect((await run('review', 'agenda', 'plan')).stderr).toContain('It has strategy, audit.');
    const { stdout } = await run('report', 'playbook');
    expect(stdout).toMatch(/^\| notes \| RTO \| 4 h \| – \| never shown \|$/m);
    expect(stdout).toMatch(/^\| orders \| RTO \| 4 h \| .*restored and validated \| \d{4}-\d\d-\d\d \|$/m);
    expect(stdout).toContain('Where people buy \\| and \\*sell\\*.');
    expect(stdout).toContain('# 4. hand\n# Call the provider.\n# Say the word.\n');
    expect(stdout).toContain('Lost since ${incident.since}.');
    expect(stdout).toMatch(/^1\. 0 min – 1 h 30 min: Lead/m);
    expect(stdout).toMatch(/^2\. 1 h 30 min and later: Lead .*until it is resolved$/m);
    expect(stdout).toContain('Nobody is told of: drill-overdue.');
    expect(stdout).toContain('The plan is as the newest revision has it.');
    // A changed file is not what was applied.
    writeFileSync(join(directory, 'holdfast.yaml'), `${plan}# changed\n`);
    const html = await run('report', 'playbook', '--format', 'html', '--out', 'playbook.html');
    expect(html.exit).toBe(0);
    const page = readFileSync(join(directory, 'playbook.html'), 'utf8');
    expect(page).toContain('the change is not applied');
    for (const text of [stdout, page, JSON.stringify(shown.report)])
      for (const secret of [...Object.values(SECRETS), env['HOLDFAST_PASSWORD']!]) expect(text).not.toContain(secret);
    renameSync(join(directory, 'cold'), join(directory, 'away cold'));
    const without = await states();
    expect([without.ran.exit, without.report.unread]).toMatchObject([3, [{ repository: 'cold' }]]);
    expect(without.states).toEqual({ ...shown.states, 'archive cold': 'unknown', 'check cold': 'unknown' });
    renameSync(join(directory, 'away cold'), join(directory, 'cold'));
    renameSync(join(directory, 'repository'), join(directory, 'away'));
    const mirrored = await run('report', 'playbook', '--format', 'text');
    expect(mirrored).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('Figures of main are from its mirror other'),
    });
    expect(mirrored.stdout).toMatch(/^orders +RTO +4 h +.*restored and validated/m);
    renameSync(join(directory, 'mirror'), join(directory, 'away too'));
    renameSync(join(directory, 'cold'), join(directory, 'away cold'));
    const nothing = await states();
    expect(nothing.ran.exit).toBe(3);
    expect(new Set(Object.values(nothing.states))).toEqual(new Set(['unknown']));
    expect(nothing.report.unread).toMatchObject([
      { repository: 'main', code: 'no-repository' },
      { repository: 'cold' },
    ]);
  });
});
