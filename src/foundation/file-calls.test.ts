import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { testDirectory } from '../../test/support/repository.ts';
import { type FileCalls, fileCalls, linuxFileCalls, portableFileCalls } from './file-calls.ts';
import { type FileStatus, StatusRecord, statusAt } from './file-status.ts';
import { setTimes } from './posix.ts';

let directory: string;

beforeEach(() => {
  directory = testDirectory();
});

it('are Linux’s own where this is Linux, so that these are tested', () => {
  const isLinux = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
  expect(fileCalls() !== portableFileCalls).toBe(isLinux);
});

const IMPLEMENTATIONS: [string, FileCalls | undefined][] = [
  ['of Linux', linuxFileCalls()],
  ['of Node', portableFileCalls],
];

describe.each(IMPLEMENTATIONS.filter(([, calls]) => calls !== undefined))('calls %s', (_, offered) => {
  const calls = offered!;

  /** A path as it lies in larger memory. */
  function pathAt(path: string): Uint8Array {
    const memory = Buffer.from(`before\0${path}\0behind`);
    return new Uint8Array(memory.buffer, memory.byteOffset + 7, Buffer.byteLength(path));
  }

  function withFile<T>(path: string, use: (descriptor: number) => T): T {
    const descriptor = calls.open(pathAt(path));
    try {
      return use(descriptor);
    } finally {
      calls.close(descriptor);
    }
  }

  function examined(path: string): StatusRecord {
    const record = new StatusRecord();
    withFile(path, (descriptor) => calls.examine(descriptor, record));
    return record;
  }

  function fileOf(name: string, content: string): string {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  }

  const KINDS: Record<string, () => string> = {
    'an empty file': () => fileOf('empty', ''),
    'a file of several names': () => {
      linkSync(fileOf('one', 'x'), join(directory, 'other'));
      return join(directory, 'other');
    },
    'a file of more than 4 GiB': () => {
      const path = fileOf('sparse', '');
      truncateSync(path, 5 * 2 ** 30 + 3);
      return path;
    },
    'a file from before 1970, to the nanosecond': () => {
      const path = fileOf('old', 'x');
      setTimes(Buffer.from(path), -1n, -1_500_000_001n);
      return path;
    },
    'a file from far in the future': () => {
      const path = fileOf('late', 'x');
      setTimes(Buffer.from(path), 0n, 4_300_000_000_123_456_789n);
      return path;
    },
    'a name of other letters': () => fileOf('ü\n☃', 'x'),
    'a directory': () => directory,
    'a device': () => '/dev/null',
  };
  it.each(Object.keys(KINDS))('say what the system says of %s', (kind) => {
    const path = KINDS[kind]!();
    const record = examined(path);
    const { dev, ino, mode, nlink, uid, gid, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    const said = statusAt(Uint32Array.from([1, 2, 3, ...record.words]), 3);
    const asBigInts = Object.fromEntries(Object.entries(said).map(([name, value]) => [name, BigInt(value)]));
    expect(asBigInts).toEqual({ dev, ino, mode, nlink, uid, gid, size, mtimeNs, ctimeNs } satisfies FileStatus);
    expect(record.sizeBytes).toBe(Number(size));
    expect(record.isFile).toBe(statSync(path).isFile());
  });

  it('tell a file whose size or time of change is another one', () => {
    const path = fileOf('file', 'content');
    const before = examined(path);
    expect(before.tellsSameContent(examined(path))).toBe(true);
    setTimes(Buffer.from(path), 0n, BigInt(statSync(path, { bigint: true }).mtimeNs) + 1n);
    const touched = examined(path);
    expect(before.tellsSameContent(touched)).toBe(false);
    truncateSync(path, 3);
    setTimes(Buffer.from(path), 0n, statusAt(touched.words).mtimeNs);
    expect(touched.tellsSameContent(examined(path))).toBe(false);
  });

  it('read on from where they were, up to the end', () => {
    const room = new Uint8Array(10);
    const read = withFile(fileOf('file', 'abcdefg'), (descriptor) =>
      [5, 5, 5].map((mostBytes) => {
        const length = calls.read(descriptor, room, mostBytes);
        return Buffer.from(room.subarray(0, length)).toString();
      }),
    );
    expect(read).toEqual(['abcde', 'fg', '']);
  });

  it('never write behind the room that they are given', () => {
    const memory = new Uint8Array(20);
    const path = fileOf('file', 'abcdefghijklmno');
    expect(withFile(path, (descriptor) => calls.read(descriptor, memory.subarray(0, 4), 10))).toBe(4);
    expect(Buffer.from(memory).toString()).toBe(`abcd${'\0'.repeat(16)}`);
  });

  it('fail as Node’s own do', () => {
    symlinkSync(fileOf('file', 'x'), join(directory, 'link'));
    const fail = (name: string) => () => calls.open(pathAt(join(directory, name)));
    expect(fail('gone')).toThrow(expect.objectContaining({ code: 'ENOENT', syscall: 'open' }));
    expect(fail('gone')).toThrow(join(directory, 'gone'));
    expect(fail('link')).toThrow(expect.objectContaining({ code: 'ELOOP', syscall: 'open' }));
    expect(() => withFile(directory, (descriptor) => calls.read(descriptor, new Uint8Array(9), 9))).toThrow(
      expect.objectContaining({ code: 'EISDIR', syscall: 'read' }),
    );
    const closed = openSync('/dev/null', 'r');
    closeSync(closed);
    expect(() => calls.examine(closed, new StatusRecord())).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'fstat' }),
    );
  });

  it('do not wait for a pipe’s other end, and leave nothing open to programs that are started', () => {
    const pipe = join(directory, 'pipe');
    mkdirSync(join(directory, 'in'));
    execFileSync('mkfifo', [pipe]);
    expect(examined(pipe).isFile).toBe(false);
    withFile(fileOf('file', 'x'), (descriptor) => {
      const flags = Number.parseInt(
        /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))![1]!,
        8,
      );
      expect(flags & 0o2000000).not.toBe(0);
      calls.close(descriptor);
      expect(() => fstatSync(descriptor)).toThrow('EBADF');
      // Its number is free: what takes it now is what is closed in the end.
      expect(openSync('/dev/null', 'r')).toBe(descriptor);
    });
  });
});
