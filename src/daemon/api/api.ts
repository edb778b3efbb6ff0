import { randomUUID } from 'node:crypto';
import { createRoute, OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { jsonValue } from '../../foundation/error-json.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { ACCESS } from './access.ts';
import { Authentication } from './authentication.ts';
import { CallRecord } from './call-record.ts';
import type { ApiContext } from './context.ts';
import { answerError, refuse } from './errors.ts';
import type { Operation } from './operation.ts';
import { OPERATIONS } from './routes/index.ts';
import { errorDocument } from './schemas.ts';
import { callerOf, type Served } from './served.ts';

export const API_PATH = '/api/v1';

export type ApiApplication = OpenAPIHono<Served>;

export interface Api {
  application: ApiApplication;
  calls: CallRecord;
  authentication: Authentication;
}

/** The API as a function from requests to answers, without a server. */
export function createApi(context: ApiContext): Api {
  const calls = new CallRecord(context.record, context.clock);
  const authentication = new Authentication({ ...context, calls });
  const application: ApiApplication = new OpenAPIHono<Served>({ defaultHook: answerInvalid });
  application.onError((error, c) => answerError(error, c, context.log));
  application.notFound((c) => refuse(c, 'not-found', 'there is nothing here', 'See /openapi.json for what there is.'));
  application.use(identified(context));
  application.use(headed);
  for (const each of OPERATIONS) addOperation(application, each, { context, authentication, calls });
  refuseOtherMethods(application);
  application.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  application.get('/openapi.json', (c) => c.json(describeApi(application, context.version)));
  return { application, calls, authentication };
}

/** The OpenAPI document of the API. */
function describeApi(application: ApiApplication, version: string): object {
  return application.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Holdfast', version, description: 'What `holdfast serve` answers. Shapes are those of `--json`.' },
    security: [{ token: [] }],
  });
}

function addOperation(
  application: ApiApplication,
  each: Operation,
  { context, authentication, calls }: { context: ApiContext; authentication: Authentication; calls: CallRecord },
): void {
  const { id, method, path, summary, params, query, body, result, status = 200, errors = [] } = each;
  const role = ACCESS[id];
  const route = createRoute({
    operationId: id,
    ...{ method, path: `${API_PATH}${path}`, summary },
    description: `Takes the role ${role}.${errors.length > 0 ? ` Errors: ${errors.join(', ')}.` : ''}`,
    request: {
      ...(params && { params }),
      ...(query && { query }),
      ...(body && { body: { required: true, content: { 'application/json': { schema: body } } } }),
    },
    responses: {
      [status]: { description: 'Done.', content: { 'application/json': { schema: result } } },
      default: { description: 'Refused or failed.', content: { 'application/json': { schema: errorDocument } } },
    },
    middleware: [recorded(each, calls), authentication.require(role)],
  });
  application.openapi(route, (async (c: Context<Served>) => {
    const valid = c.req.valid.bind(c.req) as (target: string) => unknown;
    const input = { params: valid('param'), query: valid('query'), body: valid('json'), caller: c.get('caller') };
    const answer = JSON.stringify(await each.run(input, context), jsonValue);
    return c.body(answer, status, { 'Content-Type': 'application/json' });
  }) as never);
}

/** What has operations and is called with a method that none of them has. */
function refuseOtherMethods(application: ApiApplication): void {
  // What is named comes before what a parameter may stand for.
  const named = (path: string) => Number(path.includes('{'));
  const paths = [...Map.groupBy(OPERATIONS, (each) => each.path)].sort(([one], [other]) => named(one) - named(other));
  for (const [path, operations] of paths) {
    const methods = operations.map(({ method }) => method.toUpperCase());
    const allowed = methods.flatMap((method) => (method === 'GET' ? [method, 'HEAD'] : [method])).join(', ');
    application.all(`${API_PATH}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`, (c) => {
      c.header('Allow', allowed);
      return refuse(c, 'method-not-allowed', `${c.req.method} is not for this`, `Use ${allowed}; see /openapi.json.`);
    });
  }
}

/** Records a call once it is answered. It is no success where that cannot be recorded. */
function recorded({ path }: Operation, calls: CallRecord): MiddlewareHandler<Served> {
  return async (c, next) => {
    await next();
    const caller = callerOf(c);
    if (caller === undefined) return;
    const { method, path: called } = c.req;
    await calls.called(caller, { method, path: called, route: `${API_PATH}${path}`, status: c.res.status });
  };
}

function identified({ log, clock }: ApiContext): MiddlewareHandler<Served> {
  return async (c, next) => {
    const requestId = randomUUID();
    const startedMs = clock.monotonicMs();
    c.set('requestId', requestId);
    c.header('X-Request-Id', requestId);
    c.header('Cache-Control', 'no-store');
    await next();
    const caller = callerOf(c);
    log.info('call answered', {
      ...{ requestId, method: c.req.method, path: c.req.path, status: c.res.status },
      durationMs: Math.round(clock.monotonicMs() - startedMs),
      token: caller?.name,
    });
  };
}

function answerInvalid(result: { success: boolean; target: string; error?: z.ZodError }, _c: Context): void {
  if (result.error === undefined) return;
  const said = result.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ');
  const part = result.target === 'json' ? 'body' : result.target;
  throw new HoldfastError('bad-usage', `the ${part} is not as it should be: ${said}`, { hint: 'See /openapi.json.' });
}

/** No page of another origin reads an answer, and nobody keeps one: there is no CORS. */
const headed = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], formAction: ["'self'"] },
  xFrameOptions: 'DENY',
});
