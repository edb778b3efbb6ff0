import { describe, expect, it } from 'vitest';
import { hbaLine } from './hba-line.ts';

describe('a line of pg_hba.conf', () => {
  it.each([
    [{ user: 'backup', address: '192.0.2.1', hasPassword: true }, 'host replication backup 192.0.2.1/32 scram-sha-256'],
    [
      { user: 'backup', address: '2001:db8::1', hasPassword: true },
      'host replication backup 2001:db8::1/128 scram-sha-256',
    ],
    [{ user: 'Back up', address: undefined, hasPassword: false }, 'local replication "Back up" peer'],
    [{ user: 'backup', address: undefined, hasPassword: true }, 'local replication backup scram-sha-256'],
    [{ database: 'all', user: 'all', address: undefined, hasPassword: false }, 'local "all" "all" peer'],
  ])('is for %j', (entrant, line) => {
    expect(hbaLine(entrant)).toBe(line);
  });
});
