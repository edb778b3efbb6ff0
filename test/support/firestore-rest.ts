/**
 * The part of Firestore's REST interface that takes documents, before a server that speaks gRPC alone.
 *
 * Source: the JSON mapping of Protocol Buffers, https://protobuf.dev/programming-guides/json/
 */

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AS_OWNER, type TestFirestore } from './firestore.ts';
import type { Fields, Timestamp, Value } from './firestore-server-messages.ts';

export interface FirestoreRest {
  /** For FIRESTORE_EMULATOR_HOST. */
  host: string;
  /** How many documents came with each request. */
  commits: number[];
  close(): void;
}

/** @param refuse the status that a request is refused with, by how many came before; 200 lets it through */
export async function startFirestoreRest(
  { client }: Pick<TestFirestore, 'client'>,
  refuse: (before: number) => number = () => 200,
): Promise<FirestoreRest> {
  const commits: number[] = [];
  let asked = 0;
  const server = createServer(async (request, response) => {
    const body = await textOf(request);
    const [, database] = /^\/v1\/(projects\/.+\/databases\/.+)\/documents:commit$/.exec(request.url ?? '') ?? [];
    const isOwner = request.headers.authorization === 'Bearer owner';
    const refused = refuse(asked++);
    const status = database === undefined ? 404 : isOwner ? refused : 401;
    if (status !== 200) return response.writeHead(status).end(`{"error":{"code":${status}}}`);
    try {
      const { writes } = JSON.parse(body) as { writes: { update: DocumentJson }[] };
      commits.push(writes.length);
      const messages = writes.map(({ update: { name, fields = {} } }) => ({
        update: { name, fields: fieldsOf(fields) },
      }));
      await client.commit({ database, writes: messages } as object, AS_OWNER);
      return response.end('{}');
    } catch (error) {
      return response.writeHead(400).end(JSON.stringify({ error: { message: String(error) } }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { host: `127.0.0.1:${port}`, commits, close: () => server.close() };
}

interface DocumentJson {
  name: string;
  fields?: Record<string, ValueJson>;
}
/** One key, and what belongs to it. */
type ValueJson = Record<string, unknown>;

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

function fieldsOf(fields: Record<string, ValueJson>): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, messageOf(value)]));
}

function messageOf(json: ValueJson): Value {
  const [[kind = '', value] = []] = Object.entries(json);
  switch (kind) {
    case 'nullValue':
      return { nullValue: 'NULL_VALUE' };
    case 'doubleValue':
      return { doubleValue: Number(value) };
    case 'timestampValue':
      return { timestampValue: timestampOf(value as string) };
    case 'bytesValue':
      return { bytesValue: Buffer.from(value as string, 'base64') };
    case 'arrayValue':
      return { arrayValue: { values: ((value as { values?: ValueJson[] }).values ?? []).map(messageOf) } };
    case 'mapValue':
      return { mapValue: { fields: fieldsOf((value as { fields?: Record<string, ValueJson> }).fields ?? {}) } };
    case 'booleanValue':
    case 'integerValue':
    case 'stringValue':
    case 'referenceValue':
    case 'geoPointValue':
      return json as Value;
    default:
      throw new Error(`a value of the kind ${JSON.stringify(kind)}`);
  }
}

/** To the nanosecond, which a Date has no room for. */
function timestampOf(text: string): Timestamp {
  const [, seconds = '', fraction = ''] = /^([^.]*?)(?:\.(\d+))?Z$/.exec(text) ?? [];
  return { seconds: `${Date.parse(`${seconds}Z`) / 1000}`, nanos: Number(fraction.padEnd(9, '0')) };
}
