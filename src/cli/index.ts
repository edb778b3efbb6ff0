export { type CommandLine, runCommandLine } from './run.ts';
