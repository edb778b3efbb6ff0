import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Metrics } from '../../src/daemon/api/metrics.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { selfSigned } from '../support/certificates.ts';
import { requires } from '../support/requirements.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const known = new Set(new Metrics('0.0.0', systemClock).names);

function namedIn(expression: string): string[] {
  return expression.match(/\b(?:holdfast|process)_[a-z_]+/g) ?? [];
}

interface Rule {
  alert: string;
  expr: string;
  annotations: { summary: string; command: string };
}

describe('what watches Holdfast', () => {
  it('draws metrics that there are, each panel at a place of its own', () => {
    const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana/holdfast.json'), 'utf8'));
    const panels = dashboard.panels as { id: number; gridPos: object; targets: { expr: string }[] }[];
    const drawn = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namedIn(expr)));
    expect(drawn.filter((name) => !known.has(name))).toEqual([]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ gridPos }) => JSON.stringify(gridPos))).size).toBe(panels.length);
    for (const { targets } of panels) expect(targets.flatMap(({ expr }) => namedIn(expr))).not.toEqual([]);
    // Whoever adds a metric shows it to somebody.
    const rules = readFileSync(join(DEPLOY, 'prometheus/holdfast.rules.yaml'), 'utf8');
    expect([...known].filter((name) => !drawn.includes(name) && !rules.includes(name))).toEqual([]);
  });

  it('alarms by metrics that there are, and says what to do', () => {
    const { groups } = parse(readFileSync(join(DEPLOY, 'prometheus/holdfast.rules.yaml'), 'utf8'));
    const rules = groups.flatMap((group: { rules: Rule[] }) => group.rules) as Rule[];
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr, annotations } of rules) {
      expect([alert, namedIn(expr).filter((name) => !known.has(name))]).toEqual([alert, []]);
      expect(annotations).toEqual({ summary: expect.stringMatching(/\.$/), command: expect.any(String) });
    }
    expect(parse(readFileSync(join(DEPLOY, 'prometheus/scrape.yaml'), 'utf8'))[0].job_name).toBe('holdfast');
  });
});

describe.skipIf(!requires('systemd-analyze'))('the unit of systemd', () => {
  it('is right, and leaves little to who breaks in', () => {
    const directory = mkdtempSync(join(tmpdir(), 'unit-'));
    const unit = join(directory, 'holdfast.service');
    writeFileSync(
      unit,
      readFileSync(join(DEPLOY, 'holdfast.service'), 'utf8').replace('/usr/bin/holdfast', process.execPath),
    );
    const analyze = (...words: string[]) => spawnSync('systemd-analyze', [...words, unit], { encoding: 'utf8' });
    const verified = analyze('verify');
    expect([verified.status, verified.stderr]).toEqual([0, '']);
    const judged = analyze('security', '--offline=yes', '--no-pager', '--threshold=20');
    expect([judged.status, judged.stdout.match(/Overall exposure level.*/)?.[0]]).toEqual([0, expect.anything()]);
  });
});

describe('the health check of a container', () => {
  const answering =
    (status: number): RequestListener =>
    ({ url }, response) =>
      void response.writeHead(url === '/healthz' ? status : 404).end();

  async function checked(server: Server): Promise<number> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const check = spawn(process.execPath, [join(DEPLOY, 'healthcheck.mjs')], {
      env: { HOLDFAST_LISTEN: `0.0.0.0:${port}` },
    });
    const [code] = await once(check, 'close');
    server.close();
    return code;
  }

  it('passes over HTTP and over TLS with any certificate, and fails where the daemon does not answer', async () => {
    const { certificate, key } = selfSigned(mkdtempSync(join(tmpdir(), 'health-')));
    const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
    expect(await checked(createServer(answering(200)))).toBe(0);
    expect(await checked(createTlsServer(tls, answering(200)))).toBe(0);
    expect(await checked(createServer(answering(503)))).toBe(1);
    expect(await checked(createServer(() => undefined).on('connection', (socket) => socket.destroy()))).toBe(1);
  });

  it('comes with the image', () => {
    const dockerfile = readFileSync(join(DEPLOY, 'Dockerfile'), 'utf8');
    expect(dockerfile).toMatch(/^COPY deploy\/healthcheck\.mjs \.\/$/m);
    expect(dockerfile).toMatch(/^HEALTHCHECK .* CMD \["node", "\/opt\/holdfast\/healthcheck\.mjs"\]$/m);
  });
});
