import { describe, expect, it } from 'vitest';
import { parsePlan } from '../load.ts';
import { PlanInvalidError } from '../problems.ts';

/** What is wrong with a plan of this one source; nothing, where it can be loaded. */
function problemsOf(source: string): string[] {
  const repositories = '{ main: { store: ./repository, password: { env: PASSWORD } } }';
  const text = `version: 1\nname: test\nrepositories: ${repositories}\nsources:\n  it: { ${source} }\n`;
  try {
    parsePlan(text, { file: 'holdfast.yaml', directory: '/srv/plan' });
    return [];
  } catch (error) {
    if (!(error instanceof PlanInvalidError)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

describe('a git repository in a plan', () => {
  it.each([
    'type: git, url: /srv/git/omni.git, schedule: continuous',
    'type: git, url: "git@host:x", credentials: { key: { file: ./key }, knownHosts: { env: HOSTS } }',
    'type: git, url: { env: URL }, credentials: { username: me, password: { gcp: projects/p/secrets/s/versions/1 } }',
  ])('may be %s', (source) => {
    expect(problemsOf(source)).toEqual([]);
  });

  it.each([
    ['credentials: {}', 'sources.it.credentials: expected credentials such as'],
    ['credentials: { password: { env: A }, key: { env: B } }', 'sources.it.credentials: expected credentials such as'],
    ['credentials: { username: me, key: { env: B } }', '"username" belongs to "password"'],
    ['credentials: { password: { env: A }, knownHosts: x }', '"knownHosts" belongs to "key"'],
    ['credentials: { password: literal-word }', 'a password is never written in the plan'],
    ['credentials: { key: literal-word }', 'sources.it.credentials.key: found a text, expected a reference'],
  ])('is refused with %s', (credentials, problem) => {
    const problems = problemsOf(`type: git, url: https://host/x, ${credentials}`);
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(problems.join()).not.toContain('literal-word');
  });

  it('is refused with a password in its URL, which is not repeated', () => {
    const [problem, ...others] = problemsOf('type: git, url: "https://me:literal-word@host/x"');
    expect([problem, others]).toEqual([expect.stringContaining('a password is never written in the plan'), []]);
    expect(problem).not.toContain('literal-word');
  });
});

describe('secrets in a plan', () => {
  it.each([
    'from: { gcp: { project: omni } }',
    'from: { gcp: { project: { env: PROJECT }, location: europe-west3, names: [a-b_c] } }',
    'from: { gcp: { project: omni, filter: "labels.app=omni" }, files: [/etc/a], directory: /run/secrets, env: [A, _B2] }',
    'from: { env: [TOKEN] }',
  ])('may be %s', (from) => {
    expect(problemsOf(`type: secrets, ${from}, schedule: daily`)).toEqual([]);
  });

  it.each([
    ['from: {}', 'sources.it.from: expected where the secrets lie'],
    ['from: { gcp: { project: omni, names: [a], filter: b } }', '"names" and "filter" exclude each other'],
    ['from: { gcp: { project: omni, names: [] } }', 'expected at least one name'],
    ['from: { gcp: { project: omni, names: ["../x"] } }', 'expected the name of a secret'],
    ['from: { env: ["A B"] }', 'expected the name of an environment variable'],
    ['from: { files: [relative] }', 'expected an absolute path'],
    ['from: { env: [A] }, schedule: continuous', 'secrets tell of no changes'],
    ['schedule: daily', 'missing key "from"'],
  ])('are refused with %s', (from, problem) => {
    expect(problemsOf(`type: secrets, ${from}`)).toEqual([expect.stringContaining(problem)]);
  });
});
