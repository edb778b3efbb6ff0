import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { withUnreapedProcess } from '../../test/support/unreaped.ts';
import { isProcessAlive, isProcessThere } from './process-alive.ts';

it('is alive as long as it runs, whoever’s it is', () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    for (const pid of [process.pid, 1, child.pid!]) expect(isProcessAlive(pid)).toBe(true);
  } finally {
    child.kill('SIGKILL');
  }
});

it('is neither alive nor there where no process has its number', () => {
  const { pid } = spawnSync('true');
  expect(isProcessAlive(pid)).toBe(false);
  expect(isProcessThere(pid)).toBe(false);
});

it.runIf(existsSync('/proc/self/stat'))('is there, but not alive, once it has ended and nobody asks how', async () => {
  await withUnreapedProcess((pid) => {
    expect(isProcessAlive(pid)).toBe(false);
    expect(isProcessThere(pid)).toBe(true);
  });
});
