import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { vi } from 'vitest';

/** Works with the number of a process that has ended, and whose parent never asks how, as in a container without an init. Linux alone. */
export async function withUnreapedProcess(work: (pid: number) => unknown): Promise<void> {
  // The shell becomes a program that never asks about what the shell began.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [text] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(text);
    await vi.waitFor(() => {
      if (!readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')) throw new Error('it runs still');
    }, 5000);
    await work(pid);
  } finally {
    parent.kill('SIGKILL');
  }
}
