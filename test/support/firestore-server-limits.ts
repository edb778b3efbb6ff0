/**
 * What Firestore does not take.
 * Source: Google Cloud, "Firestore: usage and limits" and "Storage size calculations".
 */

import type { Document, Fields, Value } from './firestore-server-messages.ts';
import { invalid, partsOf } from './firestore-server-names.ts';

const DEPTH_LIMIT = 20;
const INDEXED_TYPES = 11;

/** By the published rule: name, fields, 32 bytes. */
export function documentSizeBytes({ name, fields = {} }: Document): number {
  return nameSizeBytes(name) + fieldsSizeBytes(fields) + 32;
}

function nameSizeBytes(name: string): number {
  return partsOf(name).reduce((total, part) => total + Buffer.byteLength(part) + 1, 16);
}

function fieldsSizeBytes(fields: Fields): number {
  return Object.entries(fields).reduce(
    (total, [key, value]) => total + Buffer.byteLength(key) + 1 + sizeBytes(value),
    0,
  );
}

function sizeBytes(value: Value): number {
  if (value.stringValue !== undefined) return Buffer.byteLength(value.stringValue) + 1;
  if (value.bytesValue !== undefined) return value.bytesValue.length;
  if (value.referenceValue !== undefined) return nameSizeBytes(value.referenceValue);
  if (value.arrayValue !== undefined) {
    return (value.arrayValue.values ?? []).reduce((total, element) => total + sizeBytes(element), 0);
  }
  if (value.mapValue !== undefined) return fieldsSizeBytes(value.mapValue.fields ?? {});
  if (value.geoPointValue !== undefined) return 16;
  if (value.nullValue !== undefined || value.booleanValue !== undefined) return 1;
  return 8;
}

/** @throws Refusal of a value that Firestore does not take */
export function checkFields(fields: Fields, depth = 1): void {
  if (depth > DEPTH_LIMIT) throw invalid(`Property contains an entity nested deeper than ${DEPTH_LIMIT} levels.`);
  for (const [key, value] of Object.entries(fields)) {
    if (key === '') throw invalid('A field name must not be empty.');
    if (Buffer.byteLength(key) > 1500) throw invalid('A field name is longer than 1500 bytes.');
    if (/^__.*__$/s.test(key) && !(depth > 1 && key === '__type__')) {
      throw invalid(`Field name "${key}" is reserved.`);
    }
    checkValue(value, depth, false);
  }
}

function checkValue(value: Value, depth: number, isElement: boolean): void {
  const types = Object.keys(value).filter((key) => key !== 'valueType');
  if (types.length !== 1) throw invalid('Cannot convert a value that has no type, or more than one.');
  if (types.length > INDEXED_TYPES) throw invalid('Unknown value type.');
  if (value.arrayValue !== undefined) {
    if (isElement) throw invalid('Cannot convert an array value in an array value.');
    for (const element of value.arrayValue.values ?? []) checkValue(element, depth + 1, true);
  }
  if (value.mapValue !== undefined) checkFields(value.mapValue.fields ?? {}, depth + 1);
  if (value.geoPointValue !== undefined) {
    const { latitude = 0, longitude = 0 } = value.geoPointValue;
    if (!(Math.abs(latitude) <= 90)) throw invalid('Latitude must be in the range [-90, 90].');
    if (!(Math.abs(longitude) <= 180)) throw invalid('Longitude must be in the range [-180, 180].');
  }
  if (value.referenceValue !== undefined && partsOf(value.referenceValue).length === 0) {
    throw invalid(`Reference "${value.referenceValue}" names no document.`);
  }
}

/** As stored: Firestore keeps microseconds of a timestamp and rounds down what is finer. */
export function asStored(value: Value): Value {
  if (value.timestampValue !== undefined) {
    const { seconds = '0', nanos = 0 } = value.timestampValue;
    return { timestampValue: { seconds, nanos: nanos - (nanos % 1000) } };
  }
  if (value.arrayValue !== undefined) return { arrayValue: { values: (value.arrayValue.values ?? []).map(asStored) } };
  if (value.mapValue !== undefined) return { mapValue: { fields: fieldsAsStored(value.mapValue.fields ?? {}) } };
  return value;
}

export function fieldsAsStored(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, asStored(value)]));
}
