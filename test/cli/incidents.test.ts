import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isProcessAlive } from '../../src/foundation/process-alive.ts';
import {
  document,
  environment,
  holdfast,
  initialise,
  scratchDirectory,
  startHoldfast,
  writePlan,
} from '../support/cli.ts';
import { until } from '../support/followed.ts';

const PLAN = `
contacts:
  oncall: { role: On-call engineer }
  lead: { role: DevOps lead, accounts: [somebody-else] }
runbooks:
  gated:
    scenario: Something has happened
    objectives: { rto: 1h }
    params: { where: { default: here } }
    steps:
      - { id: begin, do: note, text: "recovering \${where}, since \${incident.since}" }
      - { id: gate, do: task, ask: "Somebody looked at it", assignee: oncall, timeout: 10ms }
      - { id: end, do: note, text: "it is back" }
      - { id: meet, do: review }
  short:
    scenario: Something short has happened
    steps: [{ id: rest, do: wait, for: 1s }, { id: say, do: note, text: it is over }]
  held:
    scenario: Something waits for somebody
    steps: [{ id: gate, do: task, ask: "Somebody looked at it", assignee: oncall }]
  long:
    scenario: Something long has happened
    steps:
${Array.from({ length: 100 }, (_, index) => `      - { id: s${index}, do: note, text: x }`).join('\n')}
`;

async function prepared() {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writePlan(directory, `  files: { type: files, paths: [${join(directory, 'data')}] }`, PLAN);
  await initialise(directory);
  const run = async (...words: string[]) => {
    const ran = await holdfast(directory, [...words, '--json']);
    return { exit: ran.exit, json: document(ran), said: ran.stderr };
  };
  return Object.assign(run, { directory });
}

describe('holdfast recover, and incident', () => {
  it('opens an incident, stops at what failed, takes answers, goes on, and closes it', async () => {
    const run = await prepared();
    const dry = await run('recover', 'gated', '--dry-run', '--param', 'where=/new');
    expect(dry).toMatchObject({ exit: 0, json: { obstacles: 0, steps: [{ step: 'begin' }, {}, {}, {}] } });
    expect(dry.json.steps[0].does).toContain('recovering /new');
    expect((await run('incident', 'list')).json.incidents).toEqual([]);
    expect((await run('incident', 'show')).json.error.message).toBe('there has been no incident yet');

    const stopped = await run('recover', 'gated', '--since', '10m ago', '--why', 'a test');
    expect(stopped).toMatchObject({
      exit: 1,
      json: { state: 'stopped', steps: [{ state: 'done' }, { state: 'timed-out' }, {}, {}] },
    });
    expect(stopped.said).toContain('gate: timed-out');
    const { id } = stopped.json;
    expect(await run('recover', 'gated')).toMatchObject({ exit: 1, json: { error: { code: 'incident-exists' } } });
    expect(await run('prune')).toMatchObject({ exit: 1, json: { error: { code: 'incident-open' } } });
    expect((await run('incident', 'list')).json.incidents).toMatchObject([{ id, state: 'stopped' }]);
    for (const [words, code] of [
      [['approve', id, 'gate', '--as', 'oncall'], 'answer-refused'],
      [['approve', 'ffff', 'gate'], 'unknown-incident'],
      [['done', id, 'nothing'], 'answer-refused'],
      [['answer', id, 'gate', 'perhaps'], 'bad-usage'],
      [['abort', id], 'bad-usage'],
    ] as const) {
      expect((await run('incident', ...words)).json.error.code).toBe(code);
    }
    const review = (of: string) => run('review', 'record', `incident-${of}`, '--attended', 'Anna');
    expect(await review(id)).toMatchObject({ exit: 1, json: { error: { code: 'incident-open' } } });
    expect((await review('ffff')).json.error.code).toBe('unknown-incident');
    expect(await run('incident', 'ack', id)).toMatchObject({ exit: 0 });
    expect(await run('incident', 'note', id.slice(0, 4), 'looked at it')).toMatchObject({ exit: 0 });
    expect(await run('incident', 'answer', id, 'gate', 'skip')).toMatchObject({ exit: 0, json: { step: 'gate' } });
    const resumed = await run('incident', 'resume', id);
    expect(resumed).toMatchObject({
      exit: 3,
      json: { state: 'closed', outcome: 'partial', notes: [{ text: 'looked at it' }] },
    });
    expect(resumed.json.rtoMs).toBeGreaterThan(600_000);
    expect(resumed.json.steps.map(({ state }: { state: string }) => state)).toEqual([
      'done',
      'timed-out',
      'done',
      'done',
    ]);
    expect((await run('incident', 'show')).json).toMatchObject({
      id,
      startedBy: expect.any(String),
      outcome: 'partial',
    });
    expect(await review(id.slice(0, 4))).toMatchObject({ exit: 0, json: { review: `incident-${id}` } });
    expect((await run('review', 'list')).json.recorded).toMatchObject([{ review: `incident-${id}` }]);
  });

  it('refuses what it cannot do before it does anything, and ends what a person aborts', async () => {
    const run = await prepared();
    for (const [words, exit, code] of [
      [['nothing'], 2, 'unknown-runbook'],
      [['gated', '--param', 'wher=x'], 2, 'bad-usage'],
      [['gated', '--param', 'where=postgres://u:secret@host/db'], 2, 'bad-usage'],
      [['gated', '--since', '2999-01-01T00:00:00Z'], 2, 'bad-usage'],
    ] as const) {
      expect(await run('recover', ...words)).toMatchObject({ exit, json: { error: { code } } });
    }
    expect((await run('incident', 'list', '--all')).json.incidents).toEqual([]);
    const { id } = (await run('recover', 'gated')).json;
    const breach = await run('incident', 'breach', id, '--since', '50h ago');
    expect(Date.parse(breach.json.breach.reportBy) - Date.now()).toBeLessThan(22 * 3_600_000);
    expect(await run('incident', 'breach', id, '--reported', 'the authority')).toMatchObject({
      json: { breach: { reportedTo: 'the authority' } },
    });
    const aborted = await run('incident', 'abort', id, '--why', 'a false alarm');
    expect(aborted).toMatchObject({ exit: 0, json: { outcome: 'aborted', why: 'a false alarm' } });
    expect(aborted.json.standing.join()).toContain('begin: recovering here');
    expect((await run('incident', 'abort', id, '--why', 'x')).json.error.code).toBe('bad-usage');
  });

  it('sees beforehand that what a restore leaves in a directory cannot be validated there', async () => {
    const directory = scratchDirectory();
    const url = 'url: { env: DATABASE_URL }';
    const step = (name: string) =>
      `${name}: { scenario: It is gone, params: { target: { required: true } }, steps: [{ id: back, do: restore, source: ${name}, to: "\${target}" }, { id: look, do: verify, sources: [${name}], against: "\${back.target}" }] }`;
    writePlan(
      directory,
      `  db: { type: postgres, ${url} }\n  whole: { type: postgres, method: physical, ${url} }`,
      `runbooks:\n  ${step('db')}\n  ${step('whole')}`,
    );
    await initialise(directory);
    const seen = async (runbook: string, target: string): Promise<string[]> => {
      const words = ['recover', runbook, '--dry-run', '--json', '--param', `target=${target}`];
      const { steps } = document(await holdfast(directory, words));
      return steps[1].obstacles.filter((obstacle: string) => obstacle.includes('directory'));
    };
    expect(await seen('db', '/srv/back')).toEqual([
      'db can be validated in a database only, and /srv/back is a directory',
    ]);
    expect(await seen('db', 'postgres://localhost/back')).toEqual([]);
    expect(await seen('whole', '/srv/back')).toEqual([]);
  });

  it('leaves the steps to a process of their own, which is followed from elsewhere', async () => {
    const run = await prepared();
    const env = environment({ XDG_STATE_HOME: join(run.directory, 'state') });
    const { done } = startHoldfast(run.directory, ['recover', 'short', '--detach', '--json'], env);
    const ran = await done;
    const { state, process: pid, log } = document(ran);
    expect([ran.exit, state]).toEqual([0, 'open']);
    expect(pid).not.toBe(process.pid);
    expect(statSync(log).mode & 0o777).toBe(0o600);
    const followed = await run('incident', 'show', '--follow');
    expect(followed).toMatchObject({ exit: 0, json: { state: 'closed', outcome: 'done' } });
    expect(followed.said).toMatch(/rest: done after .*\nsay: done/s);
    await until(async () => !isProcessAlive(pid));
    expect(readFileSync(log, 'utf8')).toContain('rest: done after');
  });

  it('leaves the steps of one that stands to a process of their own as well, and says where another one has them', async () => {
    const run = await prepared();
    const env = environment({ XDG_STATE_HOME: join(run.directory, 'state') });
    const detached = (...words: string[]) => startHoldfast(run.directory, [...words, '--detach', '--json'], env).done;
    const { id, process: first } = document(await detached('recover', 'held'));
    process.kill(first, 'SIGKILL');
    await until(async () => !isProcessAlive(first));
    const ran = await detached('incident', 'resume', id.slice(0, 6));
    const { state, process: pid, log } = document(ran);
    expect([ran.exit, isProcessAlive(pid)]).toEqual([0, true]);
    // Waits for an answer, and so is there still. The launcher has set what its memory is to be.
    if (process.platform === 'linux')
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toContain('\0HOLDFAST_OWN_ARENAS=1\0');
    expect(['open', 'waiting']).toContain(state);
    const refused = await detached('incident', 'resume', id);
    expect([refused.exit, document(refused).error.message]).toEqual([1, expect.stringContaining('runs the steps of')]);
    await run('incident', 'abort', id, '--why', 'it was a test');
    await until(async () => !isProcessAlive(pid));
    expect(readFileSync(log, 'utf8')).not.toBe('');
  });

  it('says what became of a process that was to run the steps, and leaves the incident open', async () => {
    const run = await prepared();
    const [, program] = process.argv;
    const failing = join(run.directory, 'failing');
    writeFileSync(failing, '#!/bin/sh\necho no way >&2\nexit 7\n', { mode: 0o700 });
    process.argv[1] = failing;
    try {
      const { exit, json } = await run('recover', 'short', '--detach');
      expect(exit).toBe(1);
      expect(json.error).toMatchObject({ code: 'program-failed', message: expect.stringContaining('ended with 7') });
      expect(json.error.message).toMatch(/no way$/);
      expect((await run('incident', 'show')).json.state).toBe('open');
    } finally {
      process.argv[1] = program!;
    }
  });

  it('adds little to a step, also on a busy machine', async () => {
    const run = await prepared();
    const before = process.cpuUsage();
    const { exit, json } = await run('recover', 'long');
    const { user, system } = process.cpuUsage(before);
    expect([exit, json.steps.length]).toEqual([0, 100]);
    expect((user + system) / 1000 / 100).toBeLessThan(50);
  });
});
