import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, environment, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';
import { noise } from '../support/repository.ts';
import { describeTree, restoredAt } from '../support/tree.ts';

/** So many moments at which a recovery is killed. All of them by hand: HOLDFAST_TEST_KILLS=1000. */
const KILLS = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 2);
const SCRIPT = new URL('../support/recover-process.ts', import.meta.url).pathname;

/** Where a process is killed: at its so many-th call of a store, or by a program of a step. */
type Moment = { method: 'put' | 'get'; at: number; takesEffect: boolean } | { program: string };

const steps = (place: string) => `
      - { id: find, do: exec, exec: [./step, find], repeatable: true }
      - { id: back, do: restore, source: files, to: ${place}/target, needs: [find] }
      - { id: switch, do: connection.update, set: { file: app.env, key: PLACE }, value: "\${find.json.place}", needs: [find] }
      - { id: mend, do: exec, exec: [./step, mend], repeatable: true, needs: [back, switch] }
      - { id: say, do: note, text: "it is at \${find.json.place}" }`;

/** Does what it has to do once, however often it is run, and kills who runs it where it is told to. */
const STEP = `#!/bin/sh
set -e
touch "effects/$1"
if [ -e "kill-$1" ]; then rm "kill-$1"; kill -9 $PPID; sleep 5; fi
echo '{ "place": "here" }'
`;

/** What is recovered, in a directory that working copies of the plan share. */
async function stage() {
  const place = scratchDirectory();
  const directory = join(place, 'first');
  mkdirSync(join(place, 'data'));
  mkdirSync(directory);
  for (let index = 0; index < 3; index++)
    writeFileSync(join(place, 'data', `${index}`), noise(200_000, `${place.length} ${index}`));
  writePlan(
    directory,
    `  files: { type: files, paths: [${place}/data] }`,
    `runbooks:\n  it:\n    scenario: Something has happened\n    steps:${steps(place)}\n`,
  );
  const plan = join(directory, 'holdfast.yaml');
  writeFileSync(plan, readFileSync(plan, 'utf8').replace('store: ./repository', `store: ${place}/repository`));
  writeFileSync(join(directory, 'step'), STEP, { mode: 0o755 });
  writeFileSync(join(directory, 'app.env'), 'PLACE=there\n', { mode: 0o600 });
  mkdirSync(join(directory, 'effects'));
  await initialise(place);
  expect((await holdfast(directory, ['backup'])).exit).toBe(0);
  return { place, directory };
}

async function run(directory: string, moment?: Moment) {
  const words =
    moment !== undefined && 'method' in moment ? [moment.method, moment.at, moment.takesEffect ? 'yes' : 'no'] : [];
  const child = spawn(process.execPath, [SCRIPT, ...words.map(String)], {
    ...{ cwd: directory, env: environment(), stdio: ['ignore', 'pipe', 'inherit'] },
  });
  let said = '';
  child.stdout!.on('data', (text: Buffer) => {
    said += text.toString();
  });
  const [, signal] = await once(child, 'close');
  const told = (word: string) => JSON.parse(new RegExp(`^${word} (.*)$`, 'm').exec(said)?.[1] ?? '{}');
  return { isKilled: signal === 'SIGKILL', calls: told('calls') as { put: number; get: number }, ended: told('ended') };
}

/** Kills one process, and has another one go on in another working copy, which has what programs had done by then beside it. */
async function killed(moment: Moment): Promise<{ isKilled: boolean; end: unknown }> {
  const { place, directory } = await stage();
  if ('program' in moment) writeFileSync(join(directory, `kill-${moment.program}`), '');
  const { isKilled } = await run(directory, moment);
  const second = join(place, 'second');
  // With times to the nanosecond, which Node's own copy has not.
  execFileSync('cp', ['-a', directory, second]);
  const { ended } = await run(second);
  const { incidents } = document(await holdfast(second, ['incident', 'list', '--all', '--json']));
  const [data, target] = [join(place, 'data'), restoredAt(join(place, 'target'), join(place, 'data'))];
  expect(describeTree(target)).toEqual(describeTree(data));
  const seen = { env: readFileSync(join(second, 'app.env'), 'utf8'), effects: readdirSync(join(second, 'effects')) };
  return { isKilled, end: { ...ended, ...seen, count: incidents.length } };
}

/**
 * How a recovery ends that was killed at this moment, or at the last call before it that its run came to: who looks again
 * at another time of the clock has a call or two less than the run that was counted.
 */
async function endAfter(moment: Moment): Promise<unknown> {
  const { isKilled, end } = await killed(moment);
  if (isKilled) return end;
  if ('program' in moment || moment.at === 0) throw new Error(`nothing was killed: ${JSON.stringify(moment)}`);
  expect([moment, end]).toEqual([moment, END]);
  return endAfter({ ...moment, at: moment.at - 1 });
}

const END = {
  ...{ outcome: 'done', phases: 'find done, back done, switch done, mend done, say done' },
  ...{ env: 'PLACE=here\n', effects: ['find', 'mend'], count: 1 },
};

describe('a recovery whose process is killed', () => {
  it(`at ${KILLS} moments ends the same in another working copy`, { timeout: 120_000 + KILLS * 60_000 }, async () => {
    const whole = await run((await stage()).directory);
    expect(whole.ended).toMatchObject({ outcome: 'done' });
    const { put, get } = whole.calls;
    expect([put > 15, get > 0]).toEqual([true, true]);
    const all: Moment[] = [
      { program: 'mend' },
      { program: 'find' },
      ...[false, true].flatMap((takesEffect) => [
        ...Array.from({ length: put }, (_, at): Moment => ({ method: 'put', at, takesEffect })),
        ...Array.from({ length: get }, (_, at): Moment => ({ method: 'get', at, takesEffect })),
      ]),
    ];
    const count = Math.min(KILLS, all.length);
    const moments = Array.from({ length: count }, (_, index) => all[Math.floor((index * all.length) / count)]!);
    for (const moment of moments) expect([moment, await endAfter(moment)]).toEqual([moment, END]);
  });
});
