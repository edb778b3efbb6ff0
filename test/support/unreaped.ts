import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { vi } from 'vitest';

/** The shell becomes a program that never asks about what the shell began, which ends once it has. */
const SCRIPT = 'sh -c "while grep -q sh /proc/$$/comm; do sleep 0.02; done" & echo $!; exec sleep 60';

/** Works with the number of a process that has ended, and whose parent never asks how, as in a container without an init. Linux alone. */
export async function withUnreapedProcess(work: (pid: number) => unknown): Promise<void> {
  const parent = spawn('sh', ['-c', SCRIPT], { stdio: ['ignore', 'pipe', 'ignore'] });
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
