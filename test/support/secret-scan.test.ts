import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SecretScan } from './secret-scan.ts';

const SECRET = 'S3cr/t+wörd "of" the day';

describe('a scan for known secrets', () => {
  it.each<[string, string]>([
    ['plain', `x${SECRET}x`],
    ['JSON', JSON.stringify({ a: SECRET })],
    ['hex', Buffer.from(`x${SECRET}`).toString('hex')],
    ['URL', `https://host/?a=${encodeURIComponent(SECRET)}`],
    ['form', new URLSearchParams({ a: SECRET }).toString()],
    ['base64', Buffer.from(SECRET).toString('base64')],
    ['base64', Buffer.from(`x${SECRET}y`).toString('base64')],
    ['base64', Buffer.from(`robot:${SECRET}`).toString('base64')],
    ['base64', Buffer.from(`ab${SECRET}`).toString('base64')],
    ['base64url', Buffer.from(`a${SECRET}`).toString('base64url')],
  ])('finds %s', (form, text) => {
    const scan = new SecretScan(['another one', SECRET]);
    scan.text(text, 'here');
    expect(scan.sightings).toContainEqual({
      secret: 1,
      form: form === 'form' ? 'form' : expect.any(String),
      where: 'here',
    });
    expect(scan.sightings.length).toBeGreaterThan(0);
  });

  it('finds files and their names, and nothing where nothing is', () => {
    const directory = mkdtempSync(join(tmpdir(), 'scan-'));
    writeFileSync(join(directory, 'clean'), 'nothing of the kind');
    const scan = new SecretScan(['hunter-2-hunter']);
    scan.directory(directory);
    expect(scan.sightings).toEqual([]);
    writeFileSync(join(directory, 'hunter-2-hunter.txt'), 'x hunter-2-hunter');
    scan.directory(directory);
    expect(scan.sightings).toHaveLength(2);
  });

  it('finds the arguments of a process that was started since', async () => {
    const scan = new SecretScan(['hunter-2-hunter']);
    scan.watchArguments();
    const child = spawn('sh', ['-c', 'sleep 60', 'hunter-2-hunter']);
    await expect.poll(() => scan.sightings.length).toBeGreaterThan(0);
    child.kill();
    expect(scan.stopWatching()).toBeGreaterThan(0);
    expect(scan.sightings[0]!.where).toBe(`the arguments of process ${child.pid}`);
  });
});
