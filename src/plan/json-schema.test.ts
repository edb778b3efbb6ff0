import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type JsonSchema, knownKeys, planJsonSchema } from './json-schema.ts';
import { parsePlan } from './load.ts';
import { planSchema } from './schema.ts';
import { showPlan, showPlanYaml } from './show.ts';

const PLAN = `version: 1
name: shop
objectives: { rpo: 26h, rto: 4h, proof: 1mo }
repositories:
  primary: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }
sources:
  db:
    type: postgres
    url: { command: [print-url, x] }
    schedule: daily at 02:00
    retention: { daily: 7, yearly: forever, within: 30d }
    objectives: { rto: 90m }
    validate:
      - { name: customers, sql: select true }
      - { name: newest, sql: { file: newest.sql }, within: 90s }
      - { name: own, exec: [./check, { env: TOKEN }] }
  uploads: { type: files, paths: [/srv/uploads/], exclude: ["*.tmp"] }
`;

describe('the JSON Schema', () => {
  const schema = planJsonSchema();
  // Read by a reader of JSON Schema, which knows nothing of the definition it came from.
  const reader = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);

  test('names its dialect and refuses unknown keys', () => {
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(schema['additionalProperties']).toBe(false);
    expect(schema['required']).toEqual(['version', 'name', 'repositories', 'sources']);
  });

  test('describes every key', () => {
    const bare: string[] = [];
    walk(schema, '', (key, node) => {
      // A mere yes or no: whether the key may stand here.
      if (typeof node === 'object' && node['description'] === undefined && node['const'] === undefined) bare.push(key);
    });
    expect(bare).toEqual([]);
  });

  test('says what editors can check: exactly one way to refer, exactly one kind of check', () => {
    const text = JSON.stringify(schema);
    expect(text).toContain('"minProperties":1,"maxProperties":1');
    expect(text).toContain('"oneOf":[{"type":"object","properties":{"sql":true,"exec":false},"required":["sql"]},');
  });

  const change = (from: string, to: string) => {
    expect(PLAN).toContain(from);
    return PLAN.replace(from, to);
  };

  test.each([
    ['the plan itself', PLAN],
    ['defaults written out', change('type: files', 'type: files, validate: [], objectives: {}')],
    ['a store by reference', change('./repository', '{ env: STORE }')],
    ['a mirror', change('\nsources:', '\n  copy: { store: ./copy, mirrorOf: primary }\nsources:')],
  ])('accepts what the loader accepts: %s', (_, text) => {
    const value: unknown = parse(text);
    expect(planSchema.safeParse(value).success).toBe(true);
    expect(reader.safeParse(value).success).toBe(true);
  });

  test.each([
    ['another version', change('version: 1', 'version: 2')],
    ['no name', change('name: shop\n', '')],
    ['a bad name', change('name: shop', 'name: "-shop"')],
    ['an unknown key', change('name: shop', 'name: shop\ncolour: red')],
    ['an unknown key of a source', change('schedule:', 'shedule:')],
    ['a number for a duration', change('26h', '26')],
    ['a word for a duration', change('26h', 'soon')],
    ['minutes in a retention', change('30d', '30m')],
    ['a literal password', change('{ env: HOLDFAST_PASSWORD }', 'hunter2')],
    ['no password', change(', password: { env: HOLDFAST_PASSWORD }', '')],
    ['a mirror with a password', change(', password:', ', mirrorOf: other, password:')],
    ['an unknown type', change('type: files', 'type: file')],
    ['a key of another type', change('exclude:', 'url:')],
    ['no paths', change('[/srv/uploads/]', '[]')],
    ['a negative count', change('daily: 7', 'daily: -7')],
    ['a word for a count', change('daily: 7', 'daily: often')],
    ['two ways to refer at once', change('{ env: TOKEN }', '{ env: TOKEN, file: x }')],
    ['two kinds of check at once', change('sql: select true', 'sql: select true, exec: [x]')],
    ['a time for a command', change('exec: [./check', 'within: 1h, exec: [./check')],
    ['standards without any', change('name: shop', 'name: shop\ncompliance: {}')],
    ['an unknown method', change('type: postgres', 'type: postgres\n    method: magical')],
  ])('refuses what the loader refuses: %s', (_, text) => {
    const value: unknown = parse(text);
    expect(planSchema.safeParse(value).success).toBe(false);
    expect(reader.safeParse(value).success).toBe(false);
  });

  test('cannot be changed by who was given it', () => {
    (planJsonSchema()['properties'] as JsonSchema)['name'] = {};
    expect((planJsonSchema()['properties'] as JsonSchema)['name']).not.toEqual({});
  });

  test('knows the keys of each place', () => {
    const raw = { sources: { a: { type: 'files' }, b: { type: 'postgres' }, c: {} } };
    const own = [
      'store',
      'description',
      'password',
      'mirrorOf',
      'copies',
      'retention',
      's3',
      'gcs',
      'storageClass',
      'lock',
      'capacity',
      'limits',
      'prices',
    ];
    expect(knownKeys(['repositories', 'x'], raw)).toEqual(own);
    expect(knownKeys(['sources', 'a'], raw)).not.toContain('url');
    expect(knownKeys(['sources', 'b'], raw)).not.toContain('paths');
    expect(knownKeys(['sources', 'c'], raw)).toEqual(expect.arrayContaining(['url', 'paths']));
    expect(knownKeys(['sources', 'a', 'validate', 0], raw)).toEqual(['name', 'exec']);
    expect(knownKeys(['repositories', 'x', 'store'], raw)).toEqual(['env', 'file', 'command', 'gcp']);
  });
});

function walk(node: JsonSchema, path: string, visit: (path: string, node: JsonSchema) => void): void {
  for (const [key, value] of Object.entries((node['properties'] as Record<string, JsonSchema>) ?? {})) {
    visit(`${path}.${key}`, value);
  }
  for (const [key, value] of Object.entries(node)) {
    const children = key === 'properties' ? Object.values(value as object) : Array.isArray(value) ? value : [value];
    for (const child of children)
      if (typeof child === 'object' && child !== null) walk(child as JsonSchema, `${path}.${key}`, visit);
  }
}

describe('the plan shown', () => {
  const place = { file: 'holdfast.yaml', directory: '/plans' };

  test('has what its author left out, and keeps what its author wrote', () => {
    const shown = showPlan(parsePlan(PLAN, place));
    expect(shown).toMatchObject({
      timezone: 'UTC',
      objectives: { rpo: '26h', rto: '4h', proof: '1mo' },
      repositories: { primary: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } } },
      sources: {
        db: {
          url: { command: ['print-url', 'x'] },
          method: 'logical',
          repository: 'primary',
          objectives: { rpo: '26h', rto: '90m', proof: '1mo' },
          retention: { daily: 7, yearly: 'forever', within: '30d' },
        },
        uploads: { repository: 'primary', validate: [], objectives: { rpo: '26h', rto: '4h', proof: '1mo' } },
      },
    });
  });

  test('is itself a plan that means the same, and shows the same again', () => {
    const loaded = parsePlan(PLAN, place);
    const yaml = showPlanYaml(loaded);
    const again = parsePlan(yaml, place);
    expect(again.plan).toEqual({ ...loaded.plan, sources: again.plan.sources });
    expect([...again.plan.sources.values()]).toEqual([...loaded.plan.sources.values()]);
    expect(showPlanYaml(again)).toBe(yaml);
  });
});
