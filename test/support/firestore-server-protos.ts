/** Services as the client's own protos define them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

const PROTOS = join(import.meta.dirname, '../../node_modules/@google-cloud/firestore/build/protos');

const LOADER_OPTIONS = { longs: String, enums: String, defaults: false, oneofs: false } as const;

/** The service of that name as the client's own protos have it; `file` is `v1` or `admin_v1`. */
export function loadService(file: string, name: string): ServiceDefinition {
  const json = JSON.parse(readFileSync(join(PROTOS, `${file}.json`), 'utf8')) as Parameters<typeof fromJSON>[0];
  return fromJSON(json, LOADER_OPTIONS)[name] as ServiceDefinition;
}

// biome-ignore lint/suspicious/noExplicitAny: each method knows the shape of its own request
export type Method = (request: any) => unknown;
export type Methods = Record<string, Method>;
