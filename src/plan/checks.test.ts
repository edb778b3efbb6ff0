import { describe, expect, test } from 'vitest';
import { parsePlan } from './load.ts';
import { formatProblem, PlanInvalidError } from './problems.ts';

const PASSWORD = 'password: { env: HOLDFAST_PASSWORD }';

function parse(text: string) {
  return parsePlan(text, { file: 'holdfast.yaml', directory: '/plans/shop' });
}

function linesIn(text: string): string[] {
  try {
    parse(text);
    return [];
  } catch (error) {
    if (!(error instanceof PlanInvalidError)) throw error;
    return error.problems.map(formatProblem);
  }
}

interface Parts {
  top?: string;
  repositories?: string[];
  source?: string;
}

/** A plan with its repositories from line 4 on and one source of the given keys below them. */
function planOf({
  top = 'timezone: UTC',
  repositories = [`primary: { store: ./a, ${PASSWORD} }`],
  source = '',
}: Parts) {
  const lines = repositories.map((line) => `  ${line}\n`).join('');
  return `version: 1\nname: shop\n${top}\nrepositories:\n${lines}sources:\n  db: { type: files, paths: [/srv]${source} }\n`;
}

describe('a name that nothing defines', () => {
  test('is told with the nearest', () => {
    expect(linesIn(planOf({ source: ', repository: primry' }))).toEqual([
      'holdfast.yaml:7:49: sources.db.repository: there is no repository "primry"; did you mean "primary"?',
    ]);
    expect(linesIn(planOf({ source: ', repository: elsewhere' }))).toEqual([
      'holdfast.yaml:7:49: sources.db.repository: there is no repository "elsewhere"; expected one of primary',
    ]);
  });

  test('is needed where there are several to choose from', () => {
    const repositories = [`a: { store: ./a, ${PASSWORD} }`, `b: { store: ./b, ${PASSWORD} }`];
    expect(linesIn(planOf({ repositories }))).toEqual([
      'holdfast.yaml:8:3: sources.db.repository: missing key "repository"; expected one of a, b',
    ]);
    expect(linesIn(planOf({ repositories, source: ', repository: b' }))).toEqual([]);
  });

  test('is a mirror nowhere, where a repository with a life of its own is needed', () => {
    const home = `a: { store: ./a, ${PASSWORD} }`;
    const mirror = (of: string, more = '') => `m: { store: ./m, mirrorOf: ${of}${more} }`;
    const linesOf = (line: string, source = '') => linesIn(planOf({ repositories: [home, line], source }));
    expect(linesOf(mirror('a'))).toEqual([]);
    expect(linesOf(mirror('b'))).toEqual([
      'holdfast.yaml:6:30: repositories.m.mirrorOf: there is no repository "b"; did you mean "a"?',
    ]);
    expect(linesOf(mirror('m'))).toEqual([
      'holdfast.yaml:6:30: repositories.m.mirrorOf: "m" cannot be a mirror of itself; expected one of a',
    ]);
    expect(linesOf(mirror('a'), ', repository: m')).toEqual([
      'holdfast.yaml:8:49: sources.db.repository: "m" is a mirror; expected the repository that it is a copy of',
    ]);
    expect(linesOf(mirror('a', `, ${PASSWORD}`))).toEqual([
      'holdfast.yaml:6:43: repositories.m.password: a mirror has the password of its primary; that of "a" opens it',
    ]);
    expect(linesOf(mirror('a', ', retention: { last: 1 }')).join()).toContain('repositories.m.retention');
    expect(linesOf('m: { store: ./a, mirrorOf: a }').join()).toContain('"a" is already there');
    expect(linesIn(planOf({ repositories: [home, mirror('a'), 'n: { store: ./n, mirrorOf: m }'] }))).toEqual([
      'holdfast.yaml:7:30: repositories.n.mirrorOf: "m" is itself a mirror; expected one of a',
    ]);
  });

  describe('in an archive', () => {
    const home = `a: { store: ./a, ${PASSWORD} }`;
    const COPIES = 'copies: { from: a, sources: [db], schedule: weekly on sunday at 03:00 }';
    const archive = (copies = COPIES, more = ', retention: { weekly: 4, monthly: 12, yearly: forever }') =>
      `z: { store: ./z, ${PASSWORD}, ${copies}${more} }`;
    const linesOf = (line: string, source = '') => linesIn(planOf({ repositories: [home, line], source }));

    test('is told where it stands, and leaves one repository that sources are kept in', () => {
      const { plan, document, warnings } = parse(planOf({ repositories: [home, archive()] }));
      expect(plan.sources.get('db')?.repository).toBe('a');
      expect(plan.repositories.get('z')?.archive).toMatchObject({
        ...{ from: 'a', sources: ['db'], isOffline: false },
        schedule: { kind: 'cron', pattern: '0 3 * * 0' },
        retention: { weekly: 4, monthly: 12, yearly: 'forever' },
      });
      // An archive that is away keeps nobody from the repository before it.
      const turned = parse(planOf({ repositories: [archive(), home] })).plan;
      expect([...turned.repositories.keys()]).toEqual(['a', 'z']);
      expect(document.repositories['z']?.copies).toEqual({
        ...{ from: 'a', sources: ['db'], schedule: 'weekly on sunday at 03:00' },
      });
      expect(warnings.filter(({ path }) => path.startsWith('repositories'))).toEqual([]);
    });

    test.each([
      ['from: a', 'from: b', '6:74: repositories.z.copies.from: there is no repository "b"; did you mean "a"?'],
      ['from: a', 'from: z', '6:74: repositories.z.copies.from: "z" cannot be an archive of itself; expected one of a'],
      ['[db]', '[bd]', '6:87: repositories.z.copies.sources.0: there is no source "bd"; expected one of db'],
      ['[db]', '[db, db]', '6:91: repositories.z.copies.sources.1: "db" is named twice'],
      ['[db]', '[]', '6:86: repositories.z.copies.sources: found a list, expected at least one source'],
      ['weekly on sunday at 03:00', '0 0 30 2 *', '6:102: repositories.z.copies.schedule: "0 0 30 2 *" is never due'],
      ['weekly on sunday at 03:00', 'continuous', '6:102: repositories.z.copies.schedule: an archive takes copies at'],
      ['schedule', 'shedule', '6:92: repositories.z.copies.shedule: unknown key; did you mean "schedule"?'],
    ])('%s as %s is wrong', (right, wrong, line) => {
      expect(linesOf(archive(COPIES.replace(right, wrong)))).toEqual([
        expect.stringContaining(`holdfast.yaml:${line}`),
      ]);
    });

    test('keeps something, and a repository that is none has no retention of its own', () => {
      expect(linesOf(archive(COPIES, ', retention: { weekly: 0 }')).join()).toContain(
        'z.retention: this keeps nothing',
      );
      const alone = `a: { store: ./a, ${PASSWORD}, retention: { last: 1 } }`;
      expect(linesIn(planOf({ repositories: [alone] }))).toEqual([
        expect.stringContaining('repositories.a.retention: "retention" belongs to an archive, which has "copies"'),
      ]);
      const { warnings } = parse(planOf({ repositories: [home, archive('copies: { from: a, sources: [db] }', '')] }));
      expect(warnings.filter(({ path }) => path.startsWith('repositories')).map(formatProblem)).toEqual([
        'holdfast.yaml:6:3: repositories.z: no retention: everything is kept',
        'holdfast.yaml:6:58: repositories.z.copies: no schedule: it is copied only by hand',
      ]);
    });

    test('is neither where sources are kept, nor what a mirror or another archive is a copy of', () => {
      expect(linesOf(archive(), ', repository: z')).toEqual([
        expect.stringContaining('sources.db.repository: "z" is an archive; expected one of a'),
      ]);
      const second = (rest: string) =>
        linesIn(planOf({ repositories: [home, archive(), `y: { store: ./y, ${rest} }`] }));
      expect(second('mirrorOf: z')).toEqual([
        expect.stringContaining('repositories.y.mirrorOf: "z" is itself an archive; expected one of a'),
      ]);
      expect(second(`${PASSWORD}, ${COPIES.replace('from: a', 'from: z')}`)).toEqual([
        expect.stringContaining('repositories.y.copies.from: "z" is itself an archive; expected one of a'),
      ]);
      const mirror = 'm: { store: ./m, mirrorOf: a }';
      expect(linesIn(planOf({ repositories: [home, mirror, archive(COPIES.replace('from: a', 'from: m'))] }))).toEqual([
        expect.stringContaining('repositories.z.copies.from: "m" is itself a mirror; expected one of a'),
      ]);
      const other = `b: { store: ./b, ${PASSWORD} }`;
      expect(linesIn(planOf({ repositories: [home, other, archive()], source: ', repository: b' }))).toEqual([
        expect.stringContaining('repositories.z.copies.sources.0: "db" is kept in "b", and not in "a"'),
      ]);
    });

    test('may lie where it must be asked for, which nothing else may', () => {
      const cold = archive(COPIES, ', storageClass: GLACIER').replace('./z', 's3://bucket/z');
      expect(parse(planOf({ repositories: [home, cold] })).plan.repositories.get('z')?.archive?.isOffline).toBe(true);
      const warm = cold.replace('GLACIER', 'GLACIER_IR');
      expect(parse(planOf({ repositories: [home, warm] })).plan.repositories.get('z')?.archive?.isOffline).toBe(false);
    });
  });

  test('is checked although the repository is itself wrong', () => {
    const repositories = ['primary: { store: gs://x }'];
    expect(linesIn(planOf({ repositories, source: ', repository: primry' })).at(-1)).toContain(
      'did you mean "primary"?',
    );
  });
});

describe('a schedule', () => {
  test('that is never due', () => {
    expect(linesIn(planOf({ source: ', schedule: 0 0 30 2 *' }))).toEqual([
      'holdfast.yaml:7:47: sources.db.schedule: "0 0 30 2 *" is never due; no such day exists',
    ]);
  });

  test.each([
    [
      'objectives: { rpo: 1h }',
      ', schedule: daily',
      '"daily" leaves up to 1d between backups and cannot meet the RPO of 1h',
    ],
    [
      'timezone: UTC',
      ', schedule: every 2h, objectives: { rpo: 1h }',
      '"every 2h" leaves up to 2h between backups and cannot meet the RPO of 1h',
    ],
    [
      '{ timezone: Europe/Berlin, objectives: { rpo: 24h } }',
      ', schedule: daily',
      '"daily" leaves up to 1d1h between backups and cannot meet the RPO of 24h',
    ],
  ])('cannot meet its RPO: %s%s', (top, source, message) => {
    const lines = top.startsWith('{') ? 'timezone: Europe/Berlin\nobjectives: { rpo: 24h }' : top;
    const row = top.startsWith('{') ? 8 : 7;
    expect(linesIn(planOf({ top: lines, source }))).toEqual([
      `holdfast.yaml:${row}:47: sources.db.schedule: ${message}`,
    ]);
  });

  test('is held against the RPO of its own source before that of the plan', () => {
    const top = 'objectives: { rpo: 1h }';
    expect(linesIn(planOf({ top, source: ', schedule: daily, objectives: { rpo: 26h } }'.slice(0, -2) }))).toEqual([]);
    expect(linesIn(planOf({ top, source: ', schedule: daily, objectives: { rpo: soon }' }))).toEqual([
      expect.stringContaining('sources.db.objectives.rpo: found "soon"'),
    ]);
  });

  test('that is just as long as its RPO is legal, and doubtful', () => {
    const { warnings } = parse(planOf({ top: 'objectives: { rpo: 1h }', source: ', schedule: hourly' }));
    expect(warnings.map(formatProblem)).toContain(
      'holdfast.yaml:7:47: sources.db.schedule: as long as the RPO: it is missed while each backup runs',
    );
  });

  test.each([
    ['type: postgres, url: { env: A }, method: physical, wal: stream', '5m'],
    ['type: postgres, url: { env: A }, method: physical, wal: stream', '1h'],
    ['type: redis, url: { env: A }, stream: true', '5m'],
  ])('of a source whose log is captured may be longer than its RPO: %s, %s', (source, rpo) => {
    const text = planOf({ source: `, schedule: hourly, objectives: { rpo: ${rpo} }` });
    const { warnings } = parse(text.replace('type: files, paths: [/srv]', source));
    expect(warnings.map(formatProblem).filter((line) => line.includes('.schedule'))).toEqual([]);
  });

  test('is judged on the clock of UTC where the time zone is wrong', () => {
    expect(linesIn(planOf({ top: 'timezone: Nowhere', source: ', schedule: 0 0 31 2 *' }))).toHaveLength(2);
  });

  test.each([
    [
      'verification: [{ name: a, sources: "*", schedule: continuous }]',
      'verification.0.schedule: this is done at times',
    ],
    [
      'verification: [{ name: a, sources: "*", schedule: 0 0 31 2 * }]',
      'verification.0.schedule: "0 0 31 2 *" is never',
    ],
    ['drills: [{ runbooks: "*", schedule: 0 0 30 2 * }]', 'drills.0.schedule: "0 0 30 2 *" is never due'],
    ['drills: [{ runbooks: "*", schedule: continuous }]', 'drills.0.schedule: this is done at times'],
    ['reviews: { plan: continuous }', 'reviews.plan: this is done at times'],
    ['upkeep: { check: continuous }', 'upkeep.check: this is done at times'],
    ['upkeep: { retain: 0 0 30 2 * }', 'upkeep.retain: "0 0 30 2 *" is never due'],
    [
      'ledger: { signingKey: { file: a.pem }, checkpoints: { schedule: continuous } }',
      'ledger.checkpoints.schedule: this is done at times',
    ],
  ])('of what is done at times comes: %s', (top, message) => {
    expect(linesIn(planOf({ top }))).toEqual([expect.stringContaining(message)]);
    expect(linesIn(planOf({ top: top.replace(/continuous|0 0 3. 2 \*/, 'weekly') }))).toEqual([]);
  });

  test('cannot be continuous for a logical backup', () => {
    const text = planOf({}).replace(
      'type: files, paths: [/srv]',
      'type: postgres, url: { env: A }, schedule: continuous',
    );
    expect(linesIn(text)).toEqual([
      'holdfast.yaml:7:52: sources.db.schedule: a logical backup cannot be continuous; expected a schedule such as hourly',
    ]);
    expect(linesIn(planOf({ source: ', schedule: continuous' }))).toEqual([]);
  });

  test.each([
    'type: redis, url: { env: A }',
    'type: redis, url: { env: A }, stream: true',
    'type: firestore, project: a',
    'type: sqlite, path: /a',
    'type: secrets, from: { env: [A] }',
  ])('cannot be continuous for what is not watched: %s', (source) => {
    const text = planOf({ source: ', schedule: continuous' }).replace('type: files, paths: [/srv]', source);
    expect(linesIn(text)).toEqual([
      expect.stringMatching(/sources\.db\.schedule: .* of no changes; expected a schedule such as hourly$/),
    ]);
  });
});

test.each(['{}', '{ daily: 0 }', '{ within: 0d, last: 0 }', '{ tags: [kept] }'])(
  'a retention of %s keeps nothing',
  (retention) => {
    expect(linesIn(planOf({ source: `, retention: ${retention}` }))).toEqual([
      'holdfast.yaml:7:37: sources.db.retention: this keeps nothing; expected at least one rule above zero, or no "retention" to keep everything',
    ]);
  },
);

test.each(['{ daily: 1 }', '{ yearly: forever }', '{ within: 1mo }', '{ withinDaily: 36h }'])(
  'a retention of %s keeps something',
  (retention) => {
    expect(linesIn(planOf({ source: `, retention: ${retention}` }))).toEqual([]);
  },
);

test('two checks of one name', () => {
  const source = ', validate: [{ name: a, exec: [x] }, { name: b, exec: [x] }, { name: a, exec: [y] }]';
  expect(linesIn(planOf({ source }))).toEqual([
    'holdfast.yaml:7:104: sources.db.validate.2.name: two checks of this source are called "a"',
  ]);
});

test.each(['./a/../a/', '/plans/shop/a', 'file:///plans/shop/a'])('two repositories at one place: %s', (store) => {
  const repositories = [`a: { store: a, ${PASSWORD} }`, `b: { store: "${store}", ${PASSWORD} }`];
  expect(linesIn(planOf({ repositories, source: ', repository: a' }))).toEqual([
    'holdfast.yaml:6:15: repositories.b.store: "a" is already there',
  ]);
});

test('a plan without repositories or sources', () => {
  expect(linesIn('version: 1\nname: shop\nrepositories: {}\nsources: {}\n')).toEqual([
    'holdfast.yaml:3:1: repositories: the plan names no repositories; expected at least one',
    'holdfast.yaml:4:1: sources: the plan names no sources; expected at least one',
  ]);
});

describe('doubts', () => {
  function warningsOf(text: string): string[] {
    return parse(text).warnings.map(formatProblem);
  }

  test('are told of a source without promises, schedule, retention and checks', () => {
    const text = planOf({}).replace('type: files, paths: [/srv]', 'type: postgres, url: { env: A }');
    expect(warningsOf(text)).toEqual([
      'holdfast.yaml:7:3: sources.db: no RPO and no RTO: nothing says when it is too late',
      'holdfast.yaml:7:3: sources.db: no schedule: it is backed up only by hand',
      'holdfast.yaml:7:3: sources.db: no retention: everything is kept',
      'holdfast.yaml:7:3: sources.db: no validate: a restore is compared with what was captured, and with nothing you know of it',
    ]);
  });

  test('are none of a source that has them', () => {
    const top = 'objectives: { rpo: 2h, rto: 1h }';
    expect(warningsOf(planOf({ top, source: ', schedule: hourly, retention: { daily: 7 }' }))).toEqual([]);
  });

  test('are told of a service that is to be asked from another place', () => {
    const top =
      'objectives: { rpo: 2h, rto: 1h }\nservices: { api: { http: "https://api.example", from: eu }, web: { http: "https://example" } }';
    const [warning, ...others] = warningsOf(planOf({ top, source: ', schedule: hourly, retention: { daily: 7 }' }));
    expect(warning).toMatch(/services\.api\.from: it is asked from where `serve` runs/);
    expect(others).toEqual([]);
  });

  test('are told of a repository inside of what it backs up', () => {
    const top = 'objectives: { rpo: 2h, rto: 1h }';
    const repositories = [`primary: { store: /srv/backups, ${PASSWORD} }`];
    const source = ', schedule: hourly, retention: { daily: 7 }';
    expect(warningsOf(planOf({ top, repositories, source }))).toEqual([
      'holdfast.yaml:7:30: sources.db.paths.0: holds the repository "primary", which would back up itself',
    ]);
    const beside = [`primary: { store: /srv-backups, ${PASSWORD} }`];
    expect(warningsOf(planOf({ top, repositories: beside, source }))).toEqual([]);
  });
});

describe('a standby', () => {
  const physical = (keys: string, standbys: string) => `version: 1
name: shop
repositories:
  primary: { store: ./a, ${PASSWORD} }
sources:
  db: { type: postgres, url: { env: DB_URL }, method: physical${keys} }
  dump: { type: postgres, url: { env: DB_URL } }
  etc: { type: files, paths: [/etc] }
${standbys}`;
  const COPY = 'standbys:\n  copy: { of: db, url: { env: COPY_URL } }\n';

  test('is what the backups of the source it follows are taken from', () => {
    const { plan, warnings } = parse(physical(', standby: copy', COPY));
    expect(plan.sources.get('db')).toMatchObject({ standby: { name: 'copy', url: { env: 'COPY_URL' } } });
    expect(warnings.filter(({ path }) => path.startsWith('standbys'))).toEqual([]);
  });

  test('that no backup is taken of is watched all the same', () => {
    const { plan, warnings } = parse(physical('', COPY));
    expect(plan.sources.get('db')).not.toHaveProperty('standby');
    expect(plan.standbys.get('copy')).toEqual({ name: 'copy', of: 'db', url: { env: 'COPY_URL' } });
    expect(warnings.filter(({ path }) => path.startsWith('standbys'))).toEqual([]);
  });

  test.each([
    [', standby: copi', COPY, '6:74: sources.db.standby: there is no standby "copi"; did you mean "copy"?'],
    [', standby: copy', '', '6:74: sources.db.standby: there is no standby "copy"; the plan names none'],
    [
      ', standby: copy',
      COPY.replace('of: db', 'of: dump'),
      '6:74: sources.db.standby: "copy" is a standby of "dump", and not of "db"',
    ],
    ['', COPY.replace('of: db', 'of: dum'), '10:15: standbys.copy.of: there is no source "dum"; did you mean "dump"?'],
    [
      '',
      COPY.replace('of: db', 'of: etc'),
      '10:15: standbys.copy.of: "etc" is no PostgreSQL server; only one has standbys',
    ],
    [
      '',
      COPY.replace('{ env: COPY_URL }', 'postgres://u:secret@host/db'),
      '10:24: standbys.copy.url: a password is never written in the plan; expected a reference to the whole URL such as { env: DATABASE_URL }',
    ],
  ])('is refused where it cannot be right: %s', (keys, standbys, message) => {
    expect(linesIn(physical(keys, standbys))).toEqual([`holdfast.yaml:${message}`]);
  });

  test('belongs to a physical backup', () => {
    const text = physical('', COPY.replace('of: db', 'of: dump')).replace(
      'DB_URL } }\n  etc',
      'DB_URL }, standby: copy }\n  etc',
    );
    expect(linesIn(text)).toEqual([
      'holdfast.yaml:7:49: sources.dump.standby: "standby" belongs to "method: physical"; a logical backup of a standby has its URL in "url"',
    ]);
  });
});

describe('a group', () => {
  const withGroup = (group: string) => `version: 1
name: shop
repositories: { main: { store: ./r, password: { env: P } } }
sources:
  db: { type: postgres, url: { env: U }, retention: { last: 3 } }
  etc: { type: files, paths: [/etc], retention: { last: 3 } }
groups:
  shop: ${group}
`;

  test('may name sources, their order and checks between them', () => {
    const check = '{ name: a, sql: { source: db, query: q }, existsIn: { source: etc, path: sub } }';
    const text = withGroup(
      `{ sources: [etc, db], order: [db], maxSkew: 5m, validate: [${check}, { name: b, exec: [./b] }] }`,
    );
    expect(linesIn(text)).toEqual([]);
  });

  test.each([
    ['{ sources: [db, ect] }', '8:25: groups.shop.sources.1: there is no source "ect"; expected one of db, etc'],
    ['{ sources: [db, db] }', '8:25: groups.shop.sources.1: "db" is already in the list'],
    [
      '{ sources: [db], order: [etc] }',
      '8:34: groups.shop.order.0: there is no source of this group "etc"; expected one of db',
    ],
    [
      '{ sources: [db, etc], validate: [{ name: a, sql: { source: etc, query: q }, existsIn: { source: etc } }] }',
      '8:68: groups.shop.validate.0.sql.source: "etc" is of type files; expected a database that understands SQL',
    ],
    [
      '{ sources: [db, etc], validate: [{ name: a, sql: { source: db, query: q }, existsIn: { source: db } }] }',
      '8:104: groups.shop.validate.0.existsIn.source: "db" is of type postgres; expected a source of type files',
    ],
    [
      '{ sources: [db], validate: [{ name: a, sql: { source: db, query: q } }] }',
      '8:37: groups.shop.validate.0: a check of a group has either "sql" with "existsIn", or "exec"',
    ],
    [
      '{ sources: [db], skew: 5m }',
      '8:26: groups.shop.skew: unknown key; expected one of sources, order, maxSkew, validate',
    ],
  ])('is refused where it cannot be right: %s', (group, message) => {
    expect(linesIn(withGroup(group))).toEqual([`holdfast.yaml:${message}`]);
  });
});
