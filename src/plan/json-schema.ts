import { z } from 'zod';
import { planSchema } from './schema.ts';

/** A JSON Schema, as plain data. */
export type JsonSchema = Record<string, unknown>;

let made: JsonSchema | undefined;

/** The JSON Schema (draft 2020-12) of a plan as it is written, for editors. */
export function planJsonSchema(): JsonSchema {
  return structuredClone(sharedSchema());
}

function sharedSchema(): JsonSchema {
  made ??= z.toJSONSchema(planSchema, { target: 'draft-2020-12', io: 'input' }) as JsonSchema;
  return made;
}

/** The keys that may stand at `path` in the plan `raw`, whose values choose between alternatives. */
export function knownKeys(path: readonly PropertyKey[], raw: unknown): string[] {
  let nodes: JsonSchema[] = [sharedSchema()];
  let value = raw;
  for (const part of path) {
    nodes = nodes.flatMap((node) => alternatives(node, value)).flatMap((node) => children(node, part));
    value = typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined;
  }
  const keys = nodes
    .flatMap((node) => alternatives(node, value))
    .flatMap((node) => Object.keys(record(node['properties'])));
  return [...new Set(keys)];
}

function alternatives(node: JsonSchema, value: unknown): JsonSchema[] {
  const branches = [...list(node['anyOf']), ...(node['properties'] === undefined ? list(node['oneOf']) : [])];
  if (branches.length === 0) return [node];
  const chosen = branches.filter((branch) => DISCRIMINATORS.some((key) => chooses(branch, key, value)));
  return (chosen.length > 0 ? chosen : branches).flatMap((branch) => alternatives(branch, value));
}

/** The keys whose values choose between alternatives. */
const DISCRIMINATORS = ['type', 'do'] as const;

function chooses(branch: JsonSchema, key: (typeof DISCRIMINATORS)[number], value: unknown): boolean {
  const wanted = record(record(branch['properties'])[key])['const'];
  return wanted !== undefined && record(value)[key] === wanted;
}

function children(node: JsonSchema, part: PropertyKey): JsonSchema[] {
  const properties = record(node['properties']);
  const child =
    typeof part === 'number'
      ? node['items']
      : Object.hasOwn(properties, part)
        ? properties[String(part)]
        : node['additionalProperties'];
  return typeof child === 'object' && child !== null ? [child as JsonSchema] : [];
}

function record(value: unknown): JsonSchema {
  return typeof value === 'object' && value !== null ? (value as JsonSchema) : {};
}

function list(value: unknown): JsonSchema[] {
  return Array.isArray(value) ? (value as JsonSchema[]) : [];
}
