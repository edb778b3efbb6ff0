import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';

const PRIORITY = new URL('priority.ts', import.meta.url).href;
const SESSION = '/proc/self/autogroup';

/** In a session of its own, so that the tests' keeps its weight: what a process and its session weigh in it, and its session after it. */
function weighed(): { own: number; session?: string; after?: string } {
  const hasSessions = existsSync(SESSION);
  const script = `
    import { readFileSync } from 'node:fs';
    import { getPriority } from 'node:os';
    import { letOthersGoFirst } from '${PRIORITY}';
    letOthersGoFirst();
    const session = ${hasSessions} ? readFileSync('${SESSION}', 'utf8').trim() : undefined;
    console.log(JSON.stringify({ own: getPriority(), session }));`;
  const command = `'${process.execPath}' --input-type=module; if [ -e ${SESSION} ]; then cat ${SESSION}; fi`;
  const { stdout } = spawnSync('setsid', ['--wait', 'sh', '-c', command], { input: script, encoding: 'utf8' });
  const [seen, after] = stdout.trim().split('\n');
  return { ...JSON.parse(seen!), ...(hasSessions && { after }) };
}

it('goes behind the other processes, and behind other sessions until it ends', () => {
  const { own, session, after } = weighed();
  expect(own).toBe(10);
  if (session === undefined) return;
  expect(session).toMatch(/ nice 10$/);
  expect(after).toMatch(/ nice 0$/);
});
