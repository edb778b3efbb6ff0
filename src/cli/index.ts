export type { ServeCommand } from './command.ts';
export { type CommandLine, runCommandLine } from './run.ts';
