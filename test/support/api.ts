import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiContext, DaemonHandle } from '../../src/daemon/api/context.ts';
import { type ApiOptions, listenForApi, type RunningApi } from '../../src/daemon/api/start.ts';
import type { LogFields } from '../../src/daemon/log.ts';
import { Recoveries } from '../../src/daemon/recoveries.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import type { EventBodies, EventKind } from '../../src/ledger/index.ts';
import { adapters } from '../../src/main/adapters.ts';
import {
  type Adapters,
  addToken,
  openTokens,
  ROLES,
  type Role,
  TokenCheck,
  Workspace,
} from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { initialise, PASSWORD, writePlan } from './cli.ts';
import { movableClock, testDirectory } from './repository.ts';

export interface TestApi {
  directory: string;
  workspace: Workspace;
  /** What goes wrong with the store. */
  faults: Pick<FaultyStore, 'rule'>;
  context: ApiContext;
  server: RunningApi;
  clock: ReturnType<typeof movableClock>;
  /** One of each role. */
  tokens: Readonly<Record<Role, string>>;
  /** What was recorded, beside the ledger. */
  recorded: { kind: EventKind; body: EventBodies[EventKind] }[];
  /** The tasks that were started. */
  started: string[];
  logged: { level: string; message: string; fields: LogFields | undefined }[];
  call(path: string, options?: CallOptions): Promise<Answer>;
  close(): Promise<void>;
}

const GOVERNED = `reviews: { strategy: monthly }
approvals: { twoPersons: [unlock] }
contacts: { lead: { role: Lead }, oncall: { role: On-call, accounts: [operator] } }
runbooks:
  noted:
    scenario: Something has happened
    steps: [{ id: say, do: note, text: "it is known" }]
  gated:
    scenario: Something else has happened
    steps:
      - { id: go, do: approve, ask: "Go on?", by: [lead] }
      - { id: work, do: task, ask: "It is done", assignee: oncall }
`;

export interface CallOptions {
  method?: string;
  /** A role, whose token is sent, or a token. */
  as?: string;
  body?: unknown;
  /** A body that is no JSON. */
  form?: string;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each test says itself what it expects in it
  json: any;
  text: string;
}

/** The API over a plan with a source of files `files`, backed up nowhere yet, and its repository, listening on a free port. */
export async function startApi(options: Partial<ApiOptions> = {}): Promise<TestApi> {
  const directory = testDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'note'), 'remember');
  writePlan(directory, `  files: { type: files, paths: [${directory}/data], schedule: hourly }`, GOVERNED);
  await initialise(directory);
  const clock = movableClock();
  const loaded = await loadPlan({ cwd: directory, env: {} });
  const faults: TestApi['faults'] = { rule: () => undefined };
  const openStore: Adapters['openStore'] = async (place, about) =>
    new FaultyStore(await adapters.openStore(place, about), (called, index) => faults.rule(called, index));
  const ending = new AbortController();
  const workspace = new Workspace(loaded, {
    ...{
      clock,
      adapters: { ...adapters, openStore },
      version: '0.0.0',
      signal: ending.signal,
      progress: () => noProgress,
    },
    variables: { HOLDFAST_PASSWORD: PASSWORD },
  });
  const recorded: TestApi['recorded'] = [];
  const started: string[] = [];
  const logged: TestApi['logged'] = [];
  const tell = (level: string) => (message: string, fields?: LogFields) => void logged.push({ level, message, fields });
  const { ledger } = await openTokens(workspace);
  const log = { info: tell('info'), warn: tell('warn'), error: tell('error') };
  const recoveries = new Recoveries({ workspace: () => workspace, log });
  const context: ApiContext = {
    daemon: daemonOf({ loaded: () => loaded, workspace: () => workspace, recoveries }, started),
    tokens: new TokenCheck(
      () => openTokens(workspace),
      clock,
      () => {},
    ),
    record: (kind, body) => {
      recorded.push({ kind, body });
      return ledger.append(kind, body);
    },
    clock,
    log,
    version: '0.0.0',
  };
  const tokens = {} as Record<Role, string>;
  for (const role of ROLES) tokens[role] = (await addToken(workspace, { name: role, role })).token;
  const address = { host: '127.0.0.1', port: 0 };
  const server = (await listenForApi({ address, insecure: false, ...options }, '0.0.0')).serve(context);
  const call: TestApi['call'] = async (path, { method = 'GET', as, body, form, headers = {} } = {}) => {
    const token = as === undefined ? undefined : (tokens[as as Role] ?? as);
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(form !== undefined && { body: form }),
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
  };
  const close = async () => {
    ending.abort(new Error('the daemon stops'));
    await recoveries.idle();
    await server.close();
  };
  return { directory, workspace, faults, context, server, clock, tokens, recorded, started, logged, call, close };
}

/** A daemon that remembers what it was asked for. */
function daemonOf(plan: Pick<DaemonHandle, 'loaded' | 'workspace' | 'recoveries'>, started: string[]): DaemonHandle {
  const task = 'backup:files';
  return {
    ...plan,
    start: async (name) => {
      if (name !== task) throw new HoldfastError('unknown-task', `the plan has no task ${name}`);
      return `${name}@${started.push(name)}`;
    },
    schedule: () => [{ task, kind: 'backup', subject: 'files', due: '2030-01-01T00:00:00.000Z' }],
    runs: () => [{ task, underWay: [], last: { endedAt: '2029-12-31T23:00:00.000Z', outcome: 'done' } }],
    holdsLease: () => true,
    unwritten: 0,
  };
}
