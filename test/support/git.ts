import { execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Repositories of stock git for tests, and a server of one. */

const ENVIRONMENT = {
  PATH: process.env['PATH'] ?? '',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};

/** Runs git in a directory; what it printed, without the newline at its end. */
export function git(directory: string, ...words: string[]): string {
  return gitWith({}, directory, ...words);
}

export function gitWith(
  { input, quiet = false }: { input?: string | Buffer; quiet?: boolean },
  directory: string,
  ...words: string[]
): string {
  const stdio: StdioOptions = ['pipe', 'pipe', quiet ? 'ignore' : 'pipe'];
  return execFileSync('git', ['-C', directory, ...words], { env: ENVIRONMENT, stdio, input: input ?? '' })
    .toString('latin1')
    .replace(/\n$/, '');
}

/** An empty bare repository in a directory of its own, of the run's. */
export function bareRepository(...options: string[]): string {
  const directory = join(mkdtempSync(join(tmpdir(), 'git-')), 'repository.git');
  mkdirSync(directory);
  git(directory, 'init', '--quiet', '--bare', '--initial-branch=main', ...options);
  return directory;
}

/** Makes a reference a commit with these files, in place of whatever it was. @returns its id */
export function commit(
  repository: string,
  ref: string,
  files: Record<string, string | Buffer>,
  { parent }: { parent?: string } = {},
): string {
  const data = (content: string | Buffer): Buffer =>
    Buffer.concat([Buffer.from(`data ${Buffer.byteLength(content)}\n`), Buffer.from(content), Buffer.from('\n')]);
  const input = Buffer.concat([
    Buffer.from(`reset ${ref}\n\ncommit ${ref}\nmark :1\ncommitter A <a@example.com> 0 +0000\n`),
    data(`commit to ${ref}`),
    Buffer.from(`${parent === undefined ? '' : `from ${parent}\n`}deleteall\n`),
    ...Object.entries(files).flatMap(([path, content]) => [Buffer.from(`M 100644 inline ${path}\n`), data(content)]),
    Buffer.from('\nget-mark :1\n'),
  ]);
  return gitWith({ input }, repository, 'fast-import', '--quiet', '--force');
}

/** All references of a repository with their ids, and HEAD. */
export function namesIn(repository: string): string[] {
  const head = execFileSync('git', ['-C', repository, 'cat-file', '--batch-check=%(objectname)'], {
    env: ENVIRONMENT,
    input: 'HEAD\n',
  });
  return [
    `HEAD ${head.toString().trim()}`,
    ...git(repository, 'for-each-ref', '--format=%(refname) %(objectname)').split('\n'),
  ];
}

export interface GitServer {
  /** Of the repository, without credentials. */
  url: string;
  /** The values of `Authorization` that it was sent. */
  authorizations: (string | undefined)[];
  stop(): Promise<void>;
}

/** Stock git's own server over HTTP, which lets in one user. It leads everybody on to `redirect`, where that is given. */
export async function startGitServer(
  repository: string,
  { username, password, redirect }: { username: string; password: string; redirect?: string },
): Promise<GitServer> {
  const authorizations: (string | undefined)[] = [];
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    if (redirect !== undefined) {
      response.writeHead(302, { location: `${redirect}${request.url}` }).end();
    } else if (request.headers.authorization === expected) {
      answer(repository, request, response);
    } else {
      // As a careless server does: what it was told is in what it says.
      const told = Buffer.from((request.headers.authorization ?? '').slice('Basic '.length), 'base64').toString();
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"', 'content-type': 'text/plain' });
      response.end(`no entry for ${told}\n`);
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/repository.git`;
  return {
    url,
    authorizations,
    stop: () => new Promise((stopped) => void server.close(() => stopped()).closeAllConnections()),
  };
}

function answer(repository: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...ENVIRONMENT,
      GIT_PROJECT_ROOT: join(repository, '..'),
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method ?? 'GET',
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: String(request.headers['content-encoding'] ?? ''),
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_USER: 'test',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(child.stdin);
  const parts: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => parts.push(bytes));
  child.on('close', () => {
    const all = Buffer.concat(parts);
    const end = all.indexOf('\r\n\r\n');
    const headers = all
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(': ') as [string, string]);
    const status = Number(headers.find(([name]) => name === 'Status')?.[1]?.slice(0, 3) ?? 200);
    response.writeHead(status, Object.fromEntries(headers.filter(([name]) => name !== 'Status')));
    response.end(all.subarray(end + 4));
  });
}

/** A directory for the front of PATH in which `git` notes its arguments, a line a call, before it is the real one. */
export function recordingGit(): { path: string; calls: string } {
  const directory = mkdtempSync(join(tmpdir(), 'recording-'));
  const real = execFileSync('which', ['git']).toString().trim();
  const calls = join(directory, 'calls');
  writeFileSync(join(directory, 'git'), `#!/bin/sh\nprintf '%s\\n' "$*" >> '${calls}'\nexec '${real}' "$@"\n`, {
    mode: 0o755,
  });
  return { path: `${directory}:${process.env['PATH'] ?? ''}`, calls };
}
