import type { z } from '@hono/zod-openapi';
import type { Caller } from '../../operations/index.ts';
import type { OperationId } from './access.ts';
import type { ApiContext } from './context.ts';

type Fields = z.ZodObject;
type Parsed<Given extends Fields | undefined> = Given extends Fields ? z.output<Given> : undefined;

/** One operation of the API: what its description says, and what it does. Who may call it is in `ACCESS`. */
export interface Operation {
  id: OperationId;
  method: 'get' | 'post' | 'delete';
  /** Below `/api/v1`, with parameters in braces. */
  path: string;
  summary: string;
  /** The codes of errors that it answers with, beside those that every operation has. */
  errors?: readonly string[];
  params?: Fields;
  query?: Fields;
  body?: Fields;
  result: z.ZodType;
  /** 200, when left out. */
  status?: 200 | 201 | 202;
  run(input: { params: unknown; query: unknown; body: unknown; caller: Caller }, context: ApiContext): Promise<unknown>;
}

/** An operation whose function gets what its schemas say. */
export function operation<
  Params extends Fields | undefined = undefined,
  Query extends Fields | undefined = undefined,
  Body extends Fields | undefined = undefined,
>(
  definition: Omit<Operation, 'params' | 'query' | 'body' | 'run'> & {
    params?: Params;
    query?: Query;
    body?: Body;
    run(
      input: { params: Parsed<Params>; query: Parsed<Query>; body: Parsed<Body>; caller: Caller },
      context: ApiContext,
    ): Promise<unknown>;
  },
): Operation {
  return definition as Operation;
}
