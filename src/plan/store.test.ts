import { expect, test } from 'vitest';
import { parseStore, storePlace } from './store.ts';

test.each([
  ['./repository', '/plans/repository'],
  ['../repository/', '/repository'],
  ['/srv/backups', '/srv/backups'],
  ['file:///srv/my%20backups', '/srv/my backups'],
  ['FILE:///srv', '/srv'],
  ['./s3:x', '/plans/s3:x'],
])('%s lies at %s', (store, path) => {
  expect(parseStore(store, '/plans')).toEqual({ kind: 'local', path });
});

test.each([
  ['s3://bucket/x', 'a store at s3: is not supported by this version; expected a path or a file:// URL'],
  ['GS://bucket', 'a store at gs: is not supported by this version; expected a path or a file:// URL'],
  ['sftp:host:/x', 'a store at sftp: is not a store; expected a path or a file:// URL'],
  ['file://host/x', 'not a file URL of this machine; expected file:///absolute/path'],
  ['file:/x', 'not a file URL of this machine; expected file:///absolute/path'],
  ['file:///a%2Fb', 'not a file URL of this machine; expected file:///absolute/path'],
  ['file:///a%00b', 'not a file URL of this machine; expected file:///absolute/path'],
  ['~/backups', '"~" is not expanded; expected an absolute path'],
  ['', 'the store is empty; expected a path or a file:// URL'],
  ['a\0b', 'a path holds no zero byte'],
])('%j is refused', (store, problem) => {
  expect(parseStore(store, '/plans')).toEqual({ problem });
  expect(() => storePlace(store, '/plans')).toThrow(problem);
});
