import type { ServeCommand } from '../cli/index.ts';

/** What is left gets so long to end after all, once the command has printed what came of it. */
const LEFT_MS = 2000;

/** Runs the daemon for the command line, which does not know it; loaded when it is first needed. */
export const serve: ServeCommand = async ({ logFormat, ...request }) => {
  const { createLog, serve: run } = await import('../daemon/index.ts');
  const { clock } = request.environment;
  const log = createLog({ format: logFormat, clock, write: (line) => process.stderr.write(line) });
  const left = (): void => {
    setTimeout(() => process.exit(), LEFT_MS).unref();
  };
  return run({ ...request, log, left });
};
