import { describe, expect, test } from 'vitest';
import { FILES, HEAD, linesIn, linesOfSource } from '../../test/support/bad-plan.ts';

describe('secrets', () => {
  const noPassword =
    'a password is never written in the plan; expected a reference to the whole URL such as { env: DATABASE_URL }';
  test.each([
    'postgres://u:hunter2@h/db',
    'postgresql://u:hunter2@/db?host=/tmp',
    'postgres://:hunter2@h/db',
    'postgres://u:hunter2/#?x@h/db',
    'postgres://u@h/db?password=hunter2',
    'postgres://u@h/db?sslmode=require&password=hunter2',
  ])('%s holds a password, which is refused and not repeated', (url) => {
    expect(linesOfSource('type: postgres', `url: "${url}"`)).toEqual([
      `holdfast.yaml:8:10: sources.db.url: ${noPassword}`,
    ]);
  });

  test.each([
    'postgres://u@h:5432/db',
    'postgresql:///db?host=/tmp',
    'postgres://u@h1:1,h2:2/db',
    'postgres://u:@h/db',
  ])('%s holds none', (url) => {
    expect(linesOfSource('type: postgres', `url: "${url}"`)).toEqual([]);
  });

  test('what stands where a secret may stand is never repeated', () => {
    const lines = [
      ...linesOfSource('type: postgres', 'url: mysql://hunter2'),
      ...linesIn(HEAD.replace('{ env: HOLDFAST_PASSWORD }', '{ env: [hunter2] }') + FILES),
      ...linesIn(HEAD.replace('{ env: HOLDFAST_PASSWORD }', '{ command: hunter2 }') + FILES),
      ...linesIn(HEAD.replace('{ env: HOLDFAST_PASSWORD }', 'hunter2') + FILES),
      ...linesIn(HEAD.replace('{ env: HOLDFAST_PASSWORD }', '123456') + FILES),
      ...linesIn(HEAD.replace('./repository', 's3://key:hunter2@bucket') + FILES),
    ];
    expect(lines).toHaveLength(6);
    expect(lines.join('\n')).not.toMatch(/hunter2|123456/);
  });

  test.each([
    [
      '{ env: A, file: b }',
      '4:45: repositories.primary.password: found keys with values, expected a reference such as',
    ],
    ['{}', '4:45: repositories.primary.password: found keys with values, expected a reference such as'],
    ['{ enf: A }', '4:47: repositories.primary.password.enf: unknown key; did you mean "env"?'],
    [
      '{ env: "" }',
      '4:52: repositories.primary.password.env: found a text, expected the name of an environment variable',
    ],
    ['{ command: [] }', '4:56: repositories.primary.password.command: found a list, expected a list of the program'],
    [
      '{ gcp: projects/x/secrets/y }',
      '4:52: repositories.primary.password.gcp: found a text, expected projects/PROJECT/secrets/NAME/versions/latest',
    ],
  ])('%s is no reference', (reference, problem) => {
    expect(linesIn(HEAD.replace('{ env: HOLDFAST_PASSWORD }', reference) + FILES)).toEqual([
      expect.stringContaining(`holdfast.yaml:${problem}`),
    ]);
  });

  test('a reference stands wherever a text is taken', () => {
    const text = `version: 1
name: shop
repositories:
  primary: { store: { env: STORE }, password: { file: secret } }
sources:
  db:
    type: postgres
    url: { command: [print-url] }
    validate: [{ name: a, sql: { file: check.sql } }, { name: b, exec: [./b, { env: TOKEN }] }]
  uploads: { type: files, paths: [{ env: UPLOADS }], exclude: [{ env: SKIP }] }
`;
    expect(linesIn(text)).toEqual([]);
  });
});
