/** Every way a plan can be wrong, with the line and column at which it is said. */
import { describe, expect, test } from 'vitest';
import { parsePlan } from './load.ts';
import { formatProblem, PlanInvalidError, type Problem } from './problems.ts';
import { SOURCE_TYPES } from './sources/index.ts';

const TYPES = SOURCE_TYPES.join(' or ');
const HEAD = `version: 1
name: shop
repositories:
  primary: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }
`;
const FILES = `sources:
  uploads: { type: files, paths: [/srv/uploads] }
`;

function problemsIn(text: string): readonly Problem[] {
  try {
    parsePlan(text, { file: 'holdfast.yaml', directory: '/plans' });
  } catch (error) {
    expect(error).toBeInstanceOf(PlanInvalidError);
    return (error as PlanInvalidError).problems;
  }
  return [];
}

function linesIn(text: string): string[] {
  return problemsIn(text).map(formatProblem);
}

/** The problems of a plan whose one source `db` has these lines. */
function linesOfSource(...lines: string[]): string[] {
  return linesIn(`${HEAD}sources:\n  db:\n${lines.map((line) => `    ${line}\n`).join('')}`);
}

const POSTGRES = ['type: postgres', 'url: { env: DATABASE_URL }'];

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

describe('alerts, and who is told', () => {
  const CHANNELS = 'channels: { pager: { type: pagerduty, routingKey: { env: KEY } } }';
  test.each([
    ['alerts: { channels: { x: { type: fax } } }', 'alerts.channels.x.type: found "fax", expected one of'],
    ['alerts: { channels: { x: { type: slack, webhook: https://hooks/ } } }', 'a secret is never written in the plan'],
    ['alerts: { rules: { size-dorp: true } }', 'alerts.rules.size-dorp: unknown key; did you mean "size-drop"?'],
    [
      'alerts: { rules: { size-drop: { over: 20 } } }',
      'alerts.rules.size-drop.over: found the number 20, expected a p',
    ],
    ['alerts: { rules: { duration: { over: 20% } } }', 'alerts.rules.duration.over: found "20%", expected a duration'],
    ['alerts: { routes: [{ to: team }] }', 'alerts.routes.0.to: there is no channel "team"'],
    [`alerts: { ${CHANNELS}, routes: [{ to: pagr }] }`, 'there is no channel "pagr"; did you mean "pager"?'],
    ['alerts: { escalation: [{ after: 0m, notify: [oncall] }] }', 'there is no contact "oncall"'],
    ['contacts: { lead: { role: Lead, channel: mail } }', 'contacts.lead.channel: there is no channel "mail"'],
    ['verification: [{ name: x, sources: [ploads], schedule: daily }]', 'there is no source "ploads"; did you mean'],
    ['verification: [{ name: x, sources: "*", schedule: daily, sandbox: y }]', 'there is no sandbox "y"'],
    ['verification: [{ name: x, sources: "*", schedule: daily, from: 7d }]', '"from" belongs to "pick: random"'],
    ['verification: [{ name: x, sources: "*", schedule: often }]', 'verification.0.schedule: not a schedule'],
    ['reports: [{ kind: verification, schedule: weekly, to: [team] }]', 'there is no channel "team"'],
    ['compliance: {}', 'missing key "frameworks"'],
    ['compliance: { frameworks: [] }', 'at least one standard'],
    ['compliance: { frameworks: [gdrp] }', 'one of soc2, iso27001, hipaa, gdpr'],
    ['complience: {}', 'did you mean "compliance"?'],
    ['reviews: { strategy: often }', 'reviews.strategy: not a schedule'],
    ['services: { api: { http: ftp://api/ } }', 'services.api.http: found "ftp://api/", expected a URL'],
    ['upkeep: { prune: never }', 'upkeep.prune: not a schedule'],
  ])('%s', (line, message) => {
    const lines = linesIn(`${HEAD}${FILES}${line}\n`);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(message);
  });

  test('who is on the ladder can be reached', () => {
    const text = `${HEAD}${FILES}contacts: { lead: { role: Lead } }\nalerts: { escalation: [{ after: 0m, notify: [lead] }] }\n`;
    expect(linesIn(text)).toEqual([
      'holdfast.yaml:8:46: alerts.escalation.0.notify.0: "lead" has no channel, through which an alert could reach it',
    ]);
  });

  test('a channel is told only what it takes', () => {
    const channels = 'pager: { type: pagerduty, routingKey: { env: K } }, beat: { type: heartbeat, url: https://b/ }';
    const text = `${HEAD}${FILES}alerts: { channels: { ${channels} }, routes: [{ to: pager }, { to: beat }] }
contacts: { lead: { role: Lead, channel: beat }, oncall: { role: On-call, channel: pager } }
reports: [{ kind: verification, schedule: weekly, to: [pager, beat] }]
`;
    expect(linesIn(text).map((line) => line.replace(/^[^ ]* /, ''))).toEqual([
      'alerts.routes.1.to: "beat" is a heartbeat, which takes no alerts',
      'contacts.lead.channel: "beat" is a heartbeat, which takes no alerts',
      'reports.0.to.0: "pager" is PagerDuty, which takes no reports',
      'reports.0.to.1: "beat" is a heartbeat, which takes no reports',
    ]);
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
    expect(linesOfSource(...POSTGRES, 'method: magical')).toEqual([
      'holdfast.yaml:9:13: sources.db.method: found "magical", expected logical or physical',
    ]);
  });
});

describe('the options of a store at s3:// or gs://', () => {
  const linesOf = (store: string, options: string) =>
    linesIn(HEAD.replace('./repository', store).replace(' } }', ` }, ${options} }`) + FILES);

  test.each([
    ['s3', 's3: { region: eu-central-1 }, storageClass: STANDARD_IA'],
    ['s3', 's3: { region: us-central1, endpoint: https://storage.example.com, pathStyle: true }'],
    ['s3', 's3: { endpoint: { env: ENDPOINT }, serverSideEncryption: aws:kms, kmsKeyId: abc }'],
    ['gs', 'gcs: { project: omni, location: EU, userProject: { env: PAYER } }, storageClass: ARCHIVE'],
    [
      'gs',
      'gcs: { endpoint: https://storage.example.com, kmsKeyName: projects/p/locations/l/keyRings/r/cryptoKeys/k }',
    ],
  ])('of a store at %s://, %s is right', (scheme, options) => {
    expect(linesOf(`${scheme}://bucket/x`, options)).toEqual([]);
  });

  test.each([
    ['s3://bucket', 's3: { regoin: x }', 's3.regoin: unknown key; did you mean "region"?'],
    ['s3://bucket', 's3: { pathStyle: maybe }', 's3.pathStyle: found "maybe", expected true or false'],
    [
      's3://bucket',
      's3: { endpoint: "https://a:hunter2@host" }',
      's3.endpoint: credentials are never written in the plan',
    ],
    [
      's3://bucket',
      's3: { endpoint: host:9000 }',
      's3.endpoint: found a text, expected a URL such as https://s3.example.com',
    ],
    ['s3://bucket', 's3: { kmsKeyId: abc }', 's3.kmsKeyId: "kmsKeyId" belongs to "serverSideEncryption: aws:kms"'],
    ['s3://bucket', 'storageClass: DEEP_ARCHIVE', 'storageClass: what lies in DEEP_ARCHIVE cannot be read at once'],
    ['./repository', 'storageClass: STANDARD_IA', 'storageClass: "storageClass" belongs to a store at s3:// or gs://'],
    ['gs://bucket', 'gcs: { projekt: x }', 'gcs.projekt: unknown key; did you mean "project"?'],
    [
      'gs://bucket',
      'gcs: { endpoint: host:9000 }',
      'gcs.endpoint: found a text, expected a URL such as https://storage',
    ],
    ['gs://bucket', 'gcs: { kmsKeyName: abc }', 'gcs.kmsKeyName: found "abc", expected the name of a key: projects/'],
    ['gs://bucket', 'storageClass: STANDARD_IA', 'storageClass: "STANDARD_IA" is no class of Cloud Storage; expected'],
    ['gs://bucket', 's3: {}', 's3: "s3" belongs to a store at s3://'],
    ['s3://bucket', 'gcs: {}', 'gcs: "gcs" belongs to a store at gs://'],
    ['./repository', 's3: {}', 's3: "s3" belongs to a store at s3://'],
  ])('of %s, %s is not', (store, options, line) => {
    const lines = linesOf(store, options);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`repositories.primary.${line}`);
    expect(lines[0]).not.toContain('hunter2');
  });

  test('two repositories at one place are told, at two endpoints not', () => {
    const two = (options: string) =>
      linesIn(
        `${HEAD.replace('./repository', 's3://bucket/x')}  other: { store: s3://bucket/x/, password: { env: B }${options} }\n${FILES.replace('[/srv/uploads] }', '[/srv/uploads], repository: other }')}`,
      );
    expect(two('')).toEqual(['holdfast.yaml:5:19: repositories.other.store: "primary" is already there']);
    expect(two(', s3: { endpoint: https://elsewhere.example }')).toEqual([]);
  });
});

test('a lock that would run out between two backups is refused', () => {
  const lines = linesIn(
    `${HEAD.replace('./repository', 's3://bucket').replace(' } }', ' }, lock: { mode: governance, for: 36h } }')}${FILES}`,
  );
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(
    'repositories.primary.lock.for: it would run out before it is extended; expected at least 2d',
  );
});

describe('lock, capacity, limits and prices of a repository', () => {
  const SIZE = 'expected a size such as 500MB, 2GiB or 5TB';
  test.each([
    ['capacity: { warnAt: 80% }', 'capacity.of', 'missing key', SIZE],
    ['capacity: { of: much }', 'capacity.of', 'found "much"', SIZE],
    ['capacity: { of: 0GB }', 'capacity.of', 'found "0GB"', SIZE],
    ['capacity: { of: 5TB, warnAt: 0.8 }', 'capacity.warnAt', 'found the number 0.8', 'a percentage such as 80%'],
    ['capacity: { of: 5TB, warnAt: 0% }', 'capacity.warnAt', 'expected more than 0% and at most 100%', ''],
    ['capacity: { of: 5TB, warnAt: 120% }', 'capacity.warnAt', 'expected more than 0% and at most 100%', ''],
    ['lock: { mode: governance, for: 30d }', 'lock', 'a directory cannot lock what lies in it', 'expected a bucket'],
    ['lock: { mode: hard, for: 30d }', 'lock.mode', 'found "hard"', 'governance or compliance'],
    ['lock: { mode: governance }', 'lock.for', 'missing key', 'a duration such as'],
    ['limits: { upload: fast }', 'limits.upload', 'found "fast"', SIZE],
    ['limits: { up: 1MB }', 'limits.up', 'unknown key', ''],
    ['prices: { writes: -1 }', 'prices.writes', 'a price that is not negative', ''],
    ['prices: { reads: cheap }', 'prices.reads', 'found "cheap"', 'a price, as a number'],
  ])('%s is refused', (written, path, found, expected) => {
    const lines = linesIn(`${HEAD.replace(' } }', ` }, ${written} }`)}${FILES}`);
    expect(lines).toHaveLength(1);
    for (const part of [`repositories.primary.${path}`, found, expected]) expect(lines[0]).toContain(part);
  });
});

describe('a Firestore database', () => {
  const PROJECT = ['type: firestore', 'project: omni'];

  test('takes what belongs to it', () => {
    expect(
      linesOfSource(
        ...PROJECT,
        'database: other',
        'emulator: localhost:8080',
        'collections: [companies, users]',
        'budget: { reads: 100000, cost: 2.5 }',
        'prices: { reads: 0.03 }',
        'validate: [{ name: a, collection: companies/*/deals, count: { atLeast: 1, atMost: 9 } }, { name: b, exec: [./x] }]',
      ),
    ).toEqual([]);
  });

  test.each([
    ['collections: []', '9:18: sources.db.collections: found a list, expected at least one collection'],
    [
      'collections: [a/b]',
      '9:19: sources.db.collections.0: found "a/b", expected the name of a collection such as companies',
    ],
    ['method: export', '9:13: sources.db.method: found "export", expected documents or managed'],
    ['method: managed', '9:13: sources.db.method: with managed, "bucket" says where exports go'],
    ['bucket: gs://omni-exports', '9:13: sources.db.bucket: a bucket is for method: managed'],
    ['budget: { reads: 1.5 }', '9:22: sources.db.budget.reads: found the number 1.5, expected a whole number'],
    [
      'emulator: http://x',
      '9:15: sources.db.emulator: found "http://x", expected a host and port such as localhost:8080',
    ],
    ['validate: [{ name: a }]', '9:16: sources.db.validate.0: a check has either "collection" with "count", or "exec"'],
    ['validate: [{ name: a, collection: x }]', '9:16: sources.db.validate.0: "collection" and "count" belong together'],
    [
      'validate: [{ name: a, collection: x, count: {} }]',
      '9:49: sources.db.validate.0.count: a count has "atLeast", "atMost" or both',
    ],
    [
      'validate: [{ name: a, collection: x, count: { atLeast: 2, atMost: 1 } }]',
      '9:49: sources.db.validate.0.count: "atLeast" is more than "atMost": no count can be both',
    ],
  ])('%s', (line, problem) => {
    expect(linesOfSource(...PROJECT, line)).toEqual([`holdfast.yaml:${problem}`]);
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
