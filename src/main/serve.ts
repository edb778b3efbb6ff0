import type { ServeCommand } from '../cli/index.ts';

/** Runs the daemon for the command line, which does not know it; loaded when it is first needed. */
export const serve: ServeCommand = async ({ logFormat, ...request }) => {
  const { createLog, serve: run } = await import('../daemon/index.ts');
  const { clock } = request.environment;
  const log = createLog({ format: logFormat, clock, write: (line) => process.stderr.write(line) });
  return run({ ...request, log });
};
