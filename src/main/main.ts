import { readFileSync } from 'node:fs';
import { runCommandLine } from '../cli/index.ts';
import { adapters } from './adapters.ts';
import { serve } from './serve.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

process.exitCode = await runCommandLine({ adapters, version, serve, arguments: process.argv.slice(2) });
