import type { Location } from '../location.ts';
import { FENCE_LIBRARY } from './way-in.ts';

/** What a standby is told by postgresql.auto.conf, and what no server that was a primary may keep there. */
const REPLACED = /^\s*(primary_conninfo|primary_slot_name|recovery_\w+|restore_command|promote_trigger_file)\s*=/;
const PRELOADED = /^\s*session_preload_libraries\s*=/;

/**
 * The lines of postgresql.auto.conf for a server that follows another one from now on: its own, without a fence and without what
 * another recovery left. Pure.
 * @param own what the file had; empty where there was none
 */
export function standbySettings(own: string, { from, slot }: { from: Location; slot: string }): string {
  return [
    ...withoutFence(own)
      .split('\n')
      .filter((line) => line !== '' && !REPLACED.test(line)),
    `primary_conninfo = ${quoted(connectionString(from, slot))}`,
    `primary_slot_name = ${quoted(slot)}`,
    `recovery_target_timeline = 'latest'`,
    '',
  ].join('\n');
}

/** @param own what postgresql.auto.conf has */
export function withoutFence(own: string): string {
  return own
    .split('\n')
    .flatMap((line) => (PRELOADED.test(line) && line.includes(FENCE_LIBRARY) ? unfenced(line) : [line]))
    .join('\n');
}

/** As ALTER SYSTEM writes a list: one text, with the names separated by commas. */
function unfenced(line: string): string[] {
  const names =
    /'((?:[^']|'')*)'/
      .exec(line)?.[1]
      ?.split(',')
      .map((name) => name.trim()) ?? [];
  const others = names.filter((name) => name.replace(/^"(.*)"$/, '$1') !== FENCE_LIBRARY);
  return others.length === 0 ? [] : [`session_preload_libraries = '${others.join(', ')}'`];
}

/** Parameters of a URL that mean the same to a standby. */
const KEPT = /^ssl|^gssencmode$|^channel_binding$|^require_auth$|^connect_timeout$/;

/** Source: PostgreSQL's documentation, "Connection Strings". It holds the password: nobody but the server's user may read it. */
function connectionString({ host, port, user, password, parameters }: Location, name: string): string {
  const words: [string, string | undefined][] = [
    ['host', host],
    ['port', String(port)],
    ['user', user],
    ['password', password],
    ['application_name', name],
    ...[...parameters].filter(([parameter]) => KEPT.test(parameter)),
  ];
  return words
    .flatMap(([word, value]) => (value === undefined ? [] : [`${word}='${value.replace(/[\\']/g, '\\$&')}'`]))
    .join(' ');
}

/** Source: PostgreSQL's documentation, "Parameter Interaction via the Configuration File". */
function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
