import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
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

const EXIT = { x64: 60, arm64: 93 }[process.arch as string];

it.runIf(existsSync('/proc/self/stat') && EXIT !== undefined)('is alive while any of its threads runs', async () => {
  const endsOwnThread = `require('koffi').load(null).func('long syscall(long, long)')(${EXIT}, 0)`;
  const child = spawn(process.execPath, ['-e', endsOwnThread], { cwd: import.meta.dirname, stdio: 'ignore' });
  try {
    const state = () => readFileSync(`/proc/${child.pid}/stat`, 'latin1');
    await vi.waitFor(() => expect(state()).toContain(') Z '), 5000);
    expect(isProcessAlive(child.pid!)).toBe(true);
  } finally {
    child.kill('SIGKILL');
  }
});
