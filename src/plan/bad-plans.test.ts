/** Every way a plan can be wrong, with the line and column at which it is said: what is of one part of it has a file beside this one. */
import { describe, expect, test } from 'vitest';
import { FILES, HEAD, linesIn, linesOfSource, POSTGRES, problemsIn, TYPES } from '../../test/support/bad-plan.ts';
import { parsePlan } from './load.ts';
import { PlanInvalidError } from './problems.ts';

test('all problems are told at once, in the order of the file', () => {
  const text = `version: 2
name: shop
timezone: Mars/Olympus
repositories:
  primary: { store: ./repository, password: hunter2 }
sources:
  db:
    type: postgres
    url: { env: DATABASE_URL }
    shedule: hourly
    repository: primry
`;
  expect(linesIn(text)).toEqual([
    'holdfast.yaml:1:10: version: found the number 2, expected 1',
    'holdfast.yaml:3:11: timezone: found "Mars/Olympus", expected the name of a time zone such as UTC or Europe/Berlin',
    'holdfast.yaml:5:45: repositories.primary.password: a password is never written in the plan; expected a reference such as { env: HOLDFAST_PASSWORD }',
    'holdfast.yaml:10:5: sources.db.shedule: unknown key; did you mean "schedule"?',
    'holdfast.yaml:11:17: sources.db.repository: there is no repository "primry"; did you mean "primary"?',
  ]);
});

test('what is wrong with steps is told beside all else', () => {
  const text = `${HEAD}sources:
  db: { type: postgres, url: { env: DATABASE_URL }, shedule: hourly }
standbys: { eu: { of: db, url: { env: EU_URL } } }
runbooks:
  failover:
    scenario: x
    steps:
      - { id: promote, do: postgres.promote, standby: eu }
      - { id: fence, do: postgres.fence, source: db }
  loss:
    scenario: x
    steps:
      - { id: restore, do: restore }
`;
  expect(linesIn(text)).toEqual([
    'holdfast.yaml:6:53: sources.db.shedule: unknown key; did you mean "schedule"?',
    'holdfast.yaml:13:26: runbooks.failover.steps.1.do: fences the old primary after "promote" has made another one; expected it before',
    'holdfast.yaml:17:9: runbooks.loss.steps.0.to: missing key "to"; expected a text, or a reference such as { env: NAME }',
    'holdfast.yaml:17:9: runbooks.loss.steps.0: expected either "source" or "group"',
  ]);
});

test('a problem says what was found, what was expected and what was likely meant, each on its own', () => {
  const [problem] = problemsIn(`${HEAD}${FILES}timezone: Europe/Berln\n`);
  expect(problem).toEqual({
    file: 'holdfast.yaml',
    line: 7,
    column: 11,
    path: 'timezone',
    found: '"Europe/Berln"',
    expected: 'the name of a time zone such as UTC or Europe/Berlin',
    nearest: 'Europe/Berlin',
    message:
      'found "Europe/Berln", expected the name of a time zone such as UTC or Europe/Berlin; did you mean "Europe/Berlin"?',
  });
});

test('the error is one for the usage exit code, and its message lists the problems', () => {
  const error = new PlanInvalidError(problemsIn(`${HEAD}${FILES}nam: x\n`));
  expect(error.code).toBe('plan-invalid');
  expect(error.exitCode).toBe(2);
  expect(error.message).toBe('the plan has 1 problem\nholdfast.yaml:7:1: nam: unknown key; did you mean "name"?');
});

test('a plan of junk is refused in good time, with a list that ends', () => {
  const text = Array.from({ length: 60_000 }, (_, index) => `junk${index}: 1\n`).join('');
  // Of the processor: others may be at work beside it.
  const begun = process.cpuUsage();
  const problems = problemsIn(text);
  const { user, system } = process.cpuUsage(begun);
  expect((user + system) / 1000).toBeLessThan(8_000);
  expect(problems.length).toBeGreaterThan(60_000);
  expect(new PlanInvalidError(problems).message.split('\n')).toHaveLength(202);
});

describe('the YAML itself', () => {
  test.each([
    ['an empty file', '', '1:1: the plan is empty; expected at least version, name, repositories and sources'],
    [
      'only a comment',
      '# later\n',
      '1:1: the plan is empty; expected at least version, name, repositories and sources',
    ],
    ['a list', '- a\n', '1:1: found a list, expected keys with values'],
    ['a text', 'hello\n', '1:1: found "hello", expected keys with values'],
    ['a key twice', 'name: a\nversion: 1\nname: b\n', '3:1: this key is given twice'],
    ['a nested key twice', 'a: { b: 1, b: 2 }\n', '1:12: this key is given twice'],
    ['a tab', 'a:\n\tb: 1\n', '2:1: not valid YAML: tabs are not allowed as indentation'],
    ['two documents', 'a: 1\n---\nb: 2\n', '2:1: a plan is one document; "---" begins another'],
    ['a tag', 'a: !secret x\n', '1:4: tags such as !name are not part of a plan'],
    ['an unknown alias', 'a: *x\n', '1:4: a value that begins with "*" stands in quotes'],
    ['a star', 'a: *\n', '1:4: a value that begins with "*" stands in quotes'],
    ['a number as a key', 'a:\n  5: x\n', '2:3: a key is text; put it in quotes'],
    ['a list as a key', '[a]: x\n', '1:1: a key is text; put it in quotes'],
    ['a merge key', 'a: &a { b: 1 }\nc:\n  <<: *a\n', '3:3: merge keys are not part of a plan; write the keys out'],
    ['a prototype', 'sources:\n  __proto__: { type: files }\n', '2:3: "__proto__" cannot be a name'],
    ['an alias into itself', 'a: &a [ *a ]\n', '1:9: this alias contains itself'],
    ['deep nesting', `a:\n  ${'['.repeat(100_000)}\n`, '2:67: nested more than 64 deep'],
  ])('with %s is refused at its place', (_, text, line) => {
    expect(linesIn(text)).toEqual([`holdfast.yaml:${line}`]);
  });

  test('a cron that stands without quotes is told to have some', () => {
    const [problem] = linesOfSource(...POSTGRES, 'schedule: */15 * * * *');
    expect(problem).toBe('holdfast.yaml:9:15: a value that begins with "*" stands in quotes');
  });

  test('brackets in texts and comments are not nesting', () => {
    const comment = `# ${'['.repeat(100)}\n`;
    const name = `"${'['.repeat(100)}"`;
    expect(linesIn(`${comment}${HEAD}${FILES}`)).toEqual([]);
    expect(linesOfSource(...POSTGRES, `validate: [{ name: ${name}, sql: select true }]`)).toEqual([]);
  });

  test('a bomb of aliases is refused without exploding', () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const previous = Array.from({ length: 9 }, () => (level === 0 ? 'x' : `*a${level - 1}`));
      return `a${level}: &a${level} [${previous.join(', ')}]\n`;
    });
    expect(linesIn(levels.join(''))).toEqual([
      expect.stringMatching(/^holdfast.yaml:1:1: cannot be read as YAML: excessive alias count/i),
    ]);
  });

  test('many aliases are refused at the first that is too much', () => {
    const text = `a: &a x\nb: [${Array.from({ length: 101 }, () => '*a').join(', ')}]\n`;
    expect(linesIn(text)).toEqual([`holdfast.yaml:2:${5 + 100 * 4}: more than 100 aliases`]);
  });

  test('an anchor used a few times is fine, and what is wrong behind it has the place of the anchor', () => {
    const text = `${HEAD}sources:
  a: { type: files, paths: [/a], objectives: &promise { rpo: 1h, rto: 2 hours } }
  b: { type: files, paths: [/b], objectives: *promise }
`;
    expect(linesIn(text)).toEqual([
      'holdfast.yaml:6:71: sources.a.objectives.rto: found "2 hours", expected a duration such as 5m, 1h, 26h, 8d or 1mo',
      'holdfast.yaml:6:71: sources.b.objectives.rto: found "2 hours", expected a duration such as 5m, 1h, 26h, 8d or 1mo',
    ]);
  });

  test('no message repeats a line of the file', () => {
    for (const text of [
      'password: "hunter2\n',
      'password: *hunter2\n',
      'a:\n  password: hunter2\n b: 1\n',
      'a: {password: hunter2\n',
    ]) {
      const lines = linesIn(text);
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.join('\n')).not.toContain('hunter2');
    }
  });
});

describe('keys', () => {
  test('what is missing is told at what it is missing from', () => {
    expect(linesIn('version: 1\n')).toEqual([
      'holdfast.yaml:1:1: name: missing key "name"; expected a name of letters, digits, ".", "_" and "-" that begins with a letter or digit',
      'holdfast.yaml:1:1: repositories: missing key "repositories"; expected repositories by name',
      'holdfast.yaml:1:1: sources: missing key "sources"; expected sources by name',
    ]);
    expect(linesOfSource('type: postgres')).toEqual([
      'holdfast.yaml:6:3: sources.db.url: missing key "url"; expected a text, or a reference such as { env: NAME }',
    ]);
    expect(linesOfSource('paths: [/a]')).toEqual([
      `holdfast.yaml:6:3: sources.db.type: missing key "type"; expected ${TYPES}`,
    ]);
    expect(linesIn(`version: 1\nname: a\nrepositories:\n  p:\n    store: x\n${FILES}`)).toEqual([
      'holdfast.yaml:4:3: repositories.p.password: missing key "password"; expected a reference such as { env: NAME }, { file: PATH }, { command: [PROGRAM, ARGUMENT] } or { gcp: projects/PROJECT/secrets/NAME/versions/latest }',
    ]);
  });

  test('what is unknown is told with the nearest name, or with all of them', () => {
    expect(linesOfSource('type: files', 'paths: [/a]', 'excludes: ["*.tmp"]')).toEqual([
      'holdfast.yaml:9:5: sources.db.excludes: unknown key; did you mean "exclude"?',
    ]);
    expect(linesOfSource('type: files', 'paths: [/a]', 'colour: red')).toEqual([
      'holdfast.yaml:9:5: sources.db.colour: unknown key; expected one of type, paths, bucket, s3, gcs, exclude, description, schedule, retention, objectives, repository, runsOn, validate',
    ]);
    expect(linesOfSource(...POSTGRES, 'retention: { dayly: 7 }')).toEqual([
      'holdfast.yaml:9:18: sources.db.retention.dayly: unknown key; did you mean "daily"?',
    ]);
    expect(linesOfSource(...POSTGRES, 'objectives: { rpo: 1h, rtp: 2h }')).toEqual([
      'holdfast.yaml:9:28: sources.db.objectives.rtp: unknown key; did you mean "rto"?',
    ]);
    expect(linesOfSource(...POSTGRES, 'validate:', '  - { name: a, sq: select true }')).toEqual([
      'holdfast.yaml:10:20: sources.db.validate.0.sq: unknown key; did you mean "sql"?',
    ]);
  });

  test('of one kind of source are unknown on another', () => {
    expect(linesOfSource('type: files', 'paths: [/a]', 'url: x')).toEqual([
      expect.stringContaining('holdfast.yaml:9:5: sources.db.url: unknown key; expected one of type, paths'),
    ]);
    expect(linesOfSource('type: files', 'paths: [/a]', 'validate: [{ name: a, sql: x, exec: [y] }]')).toEqual([
      'holdfast.yaml:9:27: sources.db.validate.0.sql: unknown key; expected one of name, exec',
    ]);
  });

  test.each(['_x', '-x', 'a/b', 'a b', '.x', 'ü', ''])('cannot be named %j', (name) => {
    const text = `${HEAD}sources:\n  ${JSON.stringify(name)}: { type: files, paths: [/a] }\n`;
    expect(linesIn(text)).toEqual([
      expect.stringContaining(
        `holdfast.yaml:6:3: sources.${name}: "${name}" cannot be a name; expected a name of letters`,
      ),
    ]);
  });

  test.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
    'may be named %s, as every object has it',
    (name) => {
      const plan = parsePlan(`${HEAD}sources:\n  ${name}: { type: files, paths: [/a] }\n`, {
        file: 'x',
        directory: '/',
      }).plan;
      expect([...plan.sources.keys()]).toEqual([name]);
      expect(linesIn(`${HEAD}sources:\n  a: { type: files, paths: [/a], repository: ${name} }\n`)).toEqual([
        `holdfast.yaml:6:46: sources.a.repository: there is no repository "${name}"; expected one of primary`,
      ]);
      expect(linesIn(`${HEAD}${FILES}${name}: 1\n`)).toEqual([expect.stringContaining(`7:1: ${name}: unknown key`)]);
      expect(linesOfSource(`type: ${name}`)).toEqual([
        `holdfast.yaml:7:11: sources.db.type: found "${name}", expected ${TYPES}`,
      ]);
    },
  );
});

describe('values', () => {
  const objective = 'expected a duration such as 5m, 1h, 26h, 8d or 1mo';
  test.each([
    ['objectives: { rpo: 60 }', `9:24: sources.db.objectives.rpo: found the number 60, ${objective}`],
    ['objectives: { rto: soon }', `9:24: sources.db.objectives.rto: found "soon", ${objective}`],
    [
      'objectives: { rpo: 0m }',
      '9:24: sources.db.objectives.rpo: no time at all can be promised; expected more than 0',
    ],
    ['objectives: 1h', '9:17: sources.db.objectives: found "1h", expected objectives such as { rpo: 1h, rto: 4h }'],
    [
      'schedule: sometimes',
      '9:15: sources.db.schedule: not a schedule; expected hourly, daily at 02:00, weekly on sunday at 03:00, monthly, quarterly, half-yearly, yearly, every 15m, continuous, or five-field cron',
    ],
    [
      'schedule: 5',
      '9:15: sources.db.schedule: found the number 5, expected hourly, daily at 02:00, weekly on sunday at 03:00, monthly, quarterly, half-yearly, yearly, every 15m, continuous, or five-field cron',
    ],
    [
      'retention: { daily: -1 }',
      '9:25: sources.db.retention.daily: found the number -1, expected a whole number from 0, or forever',
    ],
    [
      'retention: { daily: 1.5 }',
      '9:25: sources.db.retention.daily: found the number 1.5, expected a whole number from 0, or forever',
    ],
    [
      'retention: { daily: often }',
      '9:25: sources.db.retention.daily: found "often", expected a whole number from 0, or forever',
    ],
    [
      'retention: { within: 6m }',
      '9:26: sources.db.retention.within: a retention counts in s, h, d, w, mo and y; "m" could be minutes or months',
    ],
    [
      'retention: { within: long }',
      '9:26: sources.db.retention.within: found "long", expected a duration such as 36h, 30d, 8w, 12mo or 1y',
    ],
    ['validate: yes', '9:15: sources.db.validate: found "yes", expected a list of checks'],
    [
      'validate: [{ name: a, sql: x, within: 5 }]',
      '9:43: sources.db.validate.0.within: found the number 5, expected a duration such as 90s, 30m, 2h30m, 7d, 4w or 1mo',
    ],
    ['validate: [{ name: a, sql: x, exec: [y] }]', '9:16: sources.db.validate.0: a check has either "sql" or "exec"'],
    ['validate: [{ name: a }]', '9:16: sources.db.validate.0: a check has either "sql" or "exec"'],
    [
      'validate: [{ name: a, exec: [y], within: 1h }]',
      '9:16: sources.db.validate.0: "within" belongs to a check with "sql"',
    ],
    [
      'validate: [{ name: a, exec: [] }]',
      '9:33: sources.db.validate.0.exec: found a list, expected a list of the program and its arguments',
    ],
    ['validate: [{ name: " ", sql: x }]', '9:24: sources.db.validate.0.name: found " ", expected a name'],
    [
      'repository:',
      '9:16: sources.db.repository: found nothing, expected a name of letters, digits, ".", "_" and "-" that begins with a letter or digit',
    ],
  ])('%s is refused', (line, problem) => {
    expect(linesOfSource(...POSTGRES, line)).toEqual([`holdfast.yaml:${problem}`]);
  });

  test('paths are absolute, and at least one', () => {
    expect(linesOfSource('type: files', 'paths: [srv, 5]')).toEqual([
      'holdfast.yaml:8:13: sources.db.paths.0: found "srv", expected an absolute path',
      'holdfast.yaml:8:18: sources.db.paths.1: found the number 5, expected a text, or a reference such as { env: NAME }',
    ]);
    expect(linesOfSource('type: files', 'paths: []')).toEqual([
      'holdfast.yaml:8:12: sources.db.paths: found a list, expected at least one absolute path',
    ]);
  });

  test('a source is something, of a kind that exists', () => {
    expect(linesIn(`${HEAD}sources:\n  db:\n`)).toEqual([
      'holdfast.yaml:6:6: sources.db: found nothing, expected a source such as { type: files, paths: [/srv/uploads] }',
    ]);
    expect(linesOfSource('type: postgress')).toEqual([
      `holdfast.yaml:7:11: sources.db.type: found "postgress", expected ${TYPES}; did you mean "postgres"?`,
    ]);
  });
});

describe('a sandbox', () => {
  test.each([
    ['type: local, keep: 1h', 'sandboxes.proofs.keep: unknown key'],
    ['type: cloud', 'sandboxes.proofs.type: found "cloud", expected local or firestore'],
    ['type: firestore', 'sandboxes.proofs.project: missing key "project"'],
    [
      'type: firestore, project: p, database: (default)',
      'sandboxes.proofs.database: found "(default)", expected the id',
    ],
    ['type: firestore, project: p, keep: a day', 'sandboxes.proofs.keep: found "a day", expected a duration'],
    ['type: firestore, project: p, database: test, keep: 1h', 'sandboxes.proofs.keep: what is kept stands in the way'],
  ])('%s', (written, message) => {
    const lines = linesIn(`${HEAD}${FILES}sandboxes:\n  proofs: { ${written} }\n`);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(message);
  });
});

describe('what this version cannot do is refused', () => {
  test('the log of a physical backup', () => {
    expect(linesOfSource(...POSTGRES, 'method: physical', 'wal: stream')).toEqual([]);
    expect(linesOfSource(...POSTGRES, 'method: physical', 'wal: archive')).toEqual([
      'holdfast.yaml:10:10: sources.db.wal: found "archive", expected stream',
    ]);
    const logical = 'the log belongs to "method: physical"; a logical backup cannot be continued by it';
    expect(linesOfSource(...POSTGRES, 'wal: stream')).toEqual([`holdfast.yaml:9:5: sources.db.wal: ${logical}`]);
    expect(linesOfSource(...POSTGRES, 'method: physical', 'wal: stream', 'capture: { every: 1s }')).toEqual([]);
    expect(linesOfSource(...POSTGRES, 'method: physical', 'capture: { every: 1s }')).toEqual([
      'holdfast.yaml:10:5: sources.db.capture: "capture" belongs to "wal: stream"',
    ]);
    expect(linesOfSource(...POSTGRES, 'method: physical', 'wal: stream', 'capture: { every: 500ms }')).toEqual([
      'holdfast.yaml:11:23: sources.db.capture.every: found "500ms", expected a duration such as 1s or 5s, at least 1s',
    ]);
    expect(linesOfSource(...POSTGRES, 'method: magical')).toEqual([
      'holdfast.yaml:9:13: sources.db.method: found "magical", expected logical or physical',
    ]);
  });
});

describe('what the plan was before', () => {
  const found = (entry: string) =>
    linesIn(`${HEAD}${FILES}history: [${entry}]\n`).map((line) => line.replace(/^\S+ /, ''));

  test.each([
    ['{ version: "1.0", date: 2025-11-28, change: The first }', []],
    [
      '{ version: 1.0, date: 2025-11-28, change: x }',
      ['history.0.version: found the number 1, expected a text such as "1.0"'],
    ],
    [
      '{ version: "1", date: 2025-02-30, change: x }',
      ['history.0.date: found "2025-02-30", expected a date such as 2025-11-28'],
    ],
    [
      '{ version: "1", date: 28.11.2025, change: x }',
      ['history.0.date: found "28.11.2025", expected a date such as 2025-11-28'],
    ],
  ])('%s', (entry, problems) => {
    expect(found(entry)).toEqual(problems);
  });
});
