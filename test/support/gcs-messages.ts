/** How a server of Cloud Storage words what it says, and reads what it is told. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Bucket, type GcsObject, type GcsRefusal, invalid, type ObjectMetadata } from './gcs-buckets.ts';

/** Two parts, of which the first is JSON. */
export function readMultipart(
  type = '',
  body: Buffer,
  query: URLSearchParams,
): { metadata: ObjectMetadata; content: Buffer } {
  const boundary = /^multipart\/related;.*boundary="?([^";]+)"?/.exec(type)?.[1];
  if (boundary === undefined) throw invalid('Missing multipart boundary.');
  const mark = Buffer.from(`--${boundary}`);
  const first = body.indexOf(mark);
  const second = body.indexOf(`\r\n--${boundary}`, first + mark.length);
  const last = body.lastIndexOf(`\r\n--${boundary}--`);
  if (first !== 0 || second < 0 || last <= second) throw invalid('Malformed multipart body.');
  const metadata = partIn(body.subarray(first + mark.length + 2, second));
  if (!/application\/json/i.test(metadata.head)) throw invalid('The first part is no JSON.');
  const content = partIn(body.subarray(second + 2 + mark.length + 2, last));
  const name = query.get('name');
  const said = JSON.parse(metadata.body.toString()) as ObjectMetadata;
  const contentType = /content-type:\s*([^\r\n]+)/i.exec(content.head)?.[1];
  return {
    metadata: { ...(name === null ? {} : { name }), ...(contentType === undefined ? {} : { contentType }), ...said },
    content: content.body,
  };
}

function partIn(part: Buffer): { head: string; body: Buffer } {
  const at = part.indexOf('\r\n\r\n');
  if (at < 0) throw invalid('Malformed multipart body.');
  return { head: part.subarray(0, at).toString(), body: part.subarray(at + 4) };
}

export function bucketResource({ objects: _, project: __, isPrivate: ___, ...bucket }: Bucket): object {
  return { kind: 'storage#bucket', id: bucket.name, ...bucket, metageneration: `${bucket.metageneration}` };
}

export function resource({ name: bucket }: Bucket, { content, ...object }: GcsObject): object {
  return {
    kind: 'storage#object',
    id: `${bucket}/${object.name}/${object.generation}`,
    bucket,
    ...object,
    size: `${content.length}`,
    metageneration: `${object.metageneration}`,
    ...(object.retention ? { retention: { ...object.retention } } : {}),
  };
}

export function answer(outgoing: ServerResponse, status: number, json: object): void {
  const body = Buffer.from(JSON.stringify(json));
  const headers = { 'Content-Type': 'application/json; charset=UTF-8', 'Content-Length': body.length };
  outgoing.writeHead(status, headers).end(body);
}

/** Reads of content are refused in plain words, as the real one does. */
export function refuse(incoming: IncomingMessage, outgoing: ServerResponse, url: URL, refusal: GcsRefusal): void {
  const { status, reason, message } = refusal;
  const isPlain = url.searchParams.get('alt') === 'media';
  const json = { error: { code: status, message, errors: [{ message, domain: 'global', reason }] } };
  const body = Buffer.from(isPlain ? message : JSON.stringify(json));
  const type = isPlain ? 'text/html; charset=UTF-8' : 'application/json; charset=UTF-8';
  incoming.resume();
  outgoing.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length }).end(body);
}
