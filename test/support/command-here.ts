import { vi } from 'vitest';
import { runCommandLine } from '../../src/cli/index.ts';
import { adapters } from '../../src/main/adapters.ts';

/** Runs a command in this process, which spares its start: its exit code, its one document, and all that it said. */
export async function runHere(plan: string, ...words: string[]) {
  const printed: string[] = [];
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text, done) => {
    printed.push(String(text));
    (done as unknown as () => void)();
    return true;
  });
  const messages: string[] = [];
  const told = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    messages.push(String(text));
    return true;
  });
  try {
    const line = ['--plan', plan, '--json', ...words];
    const exit = await runCommandLine({ adapters, version: '0.0.0', arguments: line });
    // biome-ignore lint/suspicious/noExplicitAny: each test says itself what it expects in it
    return { exit, json: JSON.parse(printed.join('')) as any, said: [...printed, ...messages].join('') };
  } finally {
    out.mockRestore();
    told.mockRestore();
  }
}
