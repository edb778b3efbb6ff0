import pino from 'pino';
import type { Clock } from '../foundation/clock.ts';
import type { Log, LogValue } from './log.ts';

export type LogFormat = 'json' | 'text';

export interface LogOptions {
  format: LogFormat;
  clock: Clock;
  write(line: string): void;
}

/** What looks like one is taken out of every line, whoever put it there: tokens of the API, and passwords in URLs. */
const SECRETS: readonly [pattern: RegExp, instead: string][] = [
  [/holdfast_[A-Za-z0-9_-]{43}/g, 'holdfast_…'],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"]*):[^\s/@"]+@/gi, '$1:…@'],
  [/(\b(?:bearer|basic)\s+)[A-Za-z0-9+/=_.~-]{8,}/gi, '$1…'],
  [/([?&](?:signature|token|key|password|secret)=)[^&\s"]+/gi, '$1…'],
];

/** A log of one line for each message: JSON for machines, or text for people. */
export function createLog({ format, clock, write }: LogOptions): Log {
  const stream = { write: (line: string) => write(withoutSecrets(format === 'json' ? line : asText(line))) };
  const logger = pino(
    {
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(clock.nowMs()).toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    stream,
  );
  return {
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
  };
}

function asText(line: string): string {
  const { time, level, message, ...fields } = JSON.parse(line) as {
    time: string;
    level: string;
    message: string;
    [name: string]: LogValue;
  };
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${quoted(value)}`);
  return `${[time, level.padEnd(5), quoted(message, ' '), ...shown].join(' ')}\n`;
}

/** Nothing of a value begins a line of its own, or looks like another field. */
function quoted(value: LogValue, plain = ''): string {
  const text = Array.isArray(value) ? value.join(',') : String(value);
  const isPlain = [...text].every((character) => plain.includes(character) || /[^\s"=\p{C}]/u.test(character));
  return isPlain && text !== '' ? text : JSON.stringify(text);
}

function withoutSecrets(line: string): string {
  return SECRETS.reduce((left, [pattern, instead]) => left.replace(pattern, instead), line);
}
