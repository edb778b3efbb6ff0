import { describe, expect, it } from 'vitest';
import { runProgram } from './process.ts';

const environment = { PATH: '/usr/bin:/bin' };
const shell = (script: string, options: Partial<Parameters<typeof runProgram>[2]> = {}) =>
  runProgram('/bin/sh', ['-c', script], { environment, ...options });

describe('runProgram', () => {
  it('gives what the program wrote', async () => {
    const result = await shell('cat; echo problem >&2', { input: 'hello' });
    expect(result).toEqual({ status: 0, output: 'hello', outputTruncated: false, errorOutput: 'problem\n' });
  });

  it('passes the given environment and nothing else', async () => {
    process.env['HOLDFAST_TEST_LEAK'] = 'leaked';
    try {
      const { output } = await shell('echo "$HOLDFAST_TEST_LEAK|$GIVEN"', {
        environment: { ...environment, GIVEN: 'x' },
      });
      expect(output).toBe('|x\n');
    } finally {
      delete process.env['HOLDFAST_TEST_LEAK'];
    }
  });

  it('tells the last lines of a program that failed', async () => {
    await expect(
      shell('for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo line $i >&2; done; exit 3'),
    ).rejects.toMatchObject({
      code: 'program-failed',
      message: 'sh ended with exit status 3',
      context: { status: 3, said: expect.stringMatching(/^line 3\n[\s\S]*line 14$/) },
    });
  });

  it('tells a program that is missing', async () => {
    await expect(runProgram('/nowhere/pg_dump', [], { environment })).rejects.toMatchObject({
      code: 'program-missing',
      message: 'pg_dump could not be started',
    });
  });

  it('ends a program and its children when the time is up', async () => {
    const started = performance.now();
    await expect(shell('sleep 30 & sleep 30; wait', { timeoutMs: 100 })).rejects.toMatchObject({ code: 'timed-out' });
    expect(performance.now() - started).toBeLessThan(25_000);
  });

  it('ends a program when the signal fires', async () => {
    const controller = new AbortController();
    const running = shell('sleep 30', { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(running).rejects.toThrow('enough');
  });

  it('keeps the last part of a long output only', async () => {
    const result = await shell('i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done', { captureLimitBytes: 100 });
    expect(result.outputTruncated).toBe(true);
    expect(result.output).toHaveLength(100);
    expect(result.output.endsWith('1998\n1999\n')).toBe(true);
  });

  it('streams the output and holds the program back', async () => {
    let bytes = 0;
    const result = await shell('head -c 1000000 /dev/zero', {
      onOutput: async (chunk) => {
        await new Promise((resolve) => setImmediate(resolve));
        bytes += chunk.length;
      },
    });
    expect(bytes).toBe(1_000_000);
    expect(result.output).toBe('');
  });

  it('ends the program when the output cannot be taken', async () => {
    const taken = shell('cat /dev/zero', {
      onOutput: () => {
        throw new Error('disk is full');
      },
    });
    await expect(taken).rejects.toThrow('disk is full');
  });
});
