import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goMode, systemPermissions } from './file-mode.ts';

describe("Go's file mode", () => {
  it.each([
    ['a file', 0o100644, 0o644],
    ['a directory', 0o040755, 2 ** 31 + 0o755],
    ['a directory like /tmp', 0o041777, 2 ** 31 + 2 ** 20 + 0o777],
    ['a link', 0o120777, 2 ** 27 + 0o777],
    ['a block device', 0o060660, 2 ** 26 + 0o660],
    ['a character device', 0o020666, 2 ** 26 + 2 ** 21 + 0o666],
    ['a FIFO', 0o010600, 2 ** 25 + 0o600],
    ['a socket', 0o140755, 2 ** 24 + 0o755],
    ['a setuid program', 0o104755, 2 ** 23 + 0o755],
    ['a setgid program', 0o102755, 2 ** 22 + 0o755],
  ])('is right for %s', (_, system, go) => {
    expect(goMode(system)).toBe(go);
    expect(systemPermissions(go)).toBe(system & 0o7777);
  });

  it('keeps all permissions of all types', () => {
    const types = fc.constantFrom(0o100000, 0o040000, 0o120000, 0o060000, 0o020000, 0o010000, 0o140000);
    fc.assert(
      fc.property(types, fc.nat(0o7777), (type, permissions) => {
        expect(systemPermissions(goMode(type + permissions))).toBe(permissions);
      }),
    );
  });
});
