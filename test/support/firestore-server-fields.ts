/** What becomes of a document's fields: masks and transforms. */

import { fieldsAsStored } from './firestore-server-limits.ts';
import type { Fields, FieldTransform, Timestamp, Value } from './firestore-server-messages.ts';
import { invalid } from './firestore-server-names.ts';

/** `a.b` and `` `a.b`.c `` as their segments. */
export function segmentsOf(path: string): string[] {
  const segments: string[] = [];
  const pattern = /(?:`((?:[^`\\]|\\.)*)`|([^.`]+))(?:\.|$)/gy;
  while (pattern.lastIndex < path.length) {
    const match = pattern.exec(path);
    if (match === null) throw invalid(`Invalid property path "${path}".`);
    segments.push(match[2] ?? match[1]!.replaceAll(/\\(.)/gs, '$1'));
  }
  if (segments.length === 0) throw invalid(`Invalid property path "${path}".`);
  return segments;
}

/** The fields there were, with those that the mask names as they are given: absent ones go. */
export function masked(found: Fields, given: Fields, paths: readonly string[]): Fields {
  const fields = structuredClone(found);
  for (const path of paths) {
    const segments = segmentsOf(path);
    setAt(fields, segments, valueAt(given, segments));
  }
  return fields;
}

/** Only the fields of the mask. */
export function projected(fields: Fields, paths: readonly string[]): Fields {
  const projection: Fields = {};
  for (const path of paths) {
    const segments = segmentsOf(path);
    const value = valueAt(fields, segments);
    if (value !== undefined) setAt(projection, segments, value);
  }
  return projection;
}

function valueAt(fields: Fields, [first, ...rest]: readonly string[]): Value | undefined {
  const value = Object.hasOwn(fields, first!) ? fields[first!] : undefined;
  if (rest.length === 0) return value;
  return value?.mapValue && valueAt(value.mapValue.fields ?? {}, rest);
}

function setAt(fields: Fields, [first, ...rest]: readonly string[], value: Value | undefined): void {
  if (rest.length === 0) {
    if (value === undefined) delete fields[first!];
    else fields[first!] = value;
    return;
  }
  const inner = fields[first!]?.mapValue?.fields ?? {};
  setAt(inner, rest, value);
  if (value !== undefined || fields[first!]?.mapValue !== undefined) fields[first!] = { mapValue: { fields: inner } };
}

/** @throws Refusal of a transform that this server does not have */
export function applyTransforms(
  given: Fields,
  transforms: readonly FieldTransform[],
  requestTime: Timestamp,
): { fields: Fields; results: Value[] } {
  const fields = fieldsAsStored(given);
  const results = transforms.map((transform) => {
    const segments = segmentsOf(transform.fieldPath);
    const { stored, result } = transformed(valueAt(fields, segments), transform, requestTime);
    setAt(fields, segments, stored);
    return result;
  });
  return { fields, results };
}

function transformed(
  found: Value | undefined,
  transform: FieldTransform,
  requestTime: Timestamp,
): { stored: Value; result: Value } {
  if (transform.setToServerValue === 'REQUEST_TIME') {
    return alike({ timestampValue: requestTime });
  }
  if (transform.increment !== undefined) return alike(sum(found, transform.increment));
  const elements = found?.arrayValue?.values ?? [];
  const nothing: Value = { nullValue: 'NULL_VALUE' };
  if (transform.appendMissingElements !== undefined) {
    const missing = (transform.appendMissingElements.values ?? []).filter((value) => !includes(elements, value));
    return { stored: { arrayValue: { values: [...elements, ...missing] } }, result: nothing };
  }
  if (transform.removeAllFromArray !== undefined) {
    const removed = transform.removeAllFromArray.values ?? [];
    return {
      stored: { arrayValue: { values: elements.filter((value) => !includes(removed, value)) } },
      result: nothing,
    };
  }
  throw invalid('This transform is not part of this server.');
}

function alike(value: Value): { stored: Value; result: Value } {
  return { stored: value, result: value };
}

function sum(found: Value | undefined, added: Value): Value {
  if (found?.integerValue !== undefined && added.integerValue !== undefined) {
    const total = BigInt(found.integerValue) + BigInt(added.integerValue);
    const limit = 2n ** 63n;
    return { integerValue: `${total >= limit ? limit - 1n : total < -limit ? -limit : total}` };
  }
  const [one, other] = [found, added].map((value) => value?.doubleValue ?? value?.integerValue);
  return one === undefined ? added : { doubleValue: Number(one) + Number(other) };
}

function includes(values: readonly Value[], wanted: Value): boolean {
  return values.some((value) => JSON.stringify(value) === JSON.stringify(wanted));
}
