export { COMMANDS } from './registry.ts';
export { type CommandLine, runCommandLine } from './run.ts';
