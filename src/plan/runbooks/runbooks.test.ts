import { describe, expect, test } from 'vitest';
import { parsePlan } from '../load.ts';
import { PlanInvalidError } from '../problems.ts';
import { holds, parseCondition } from './condition.ts';
import { fillTemplate, namesInTemplate } from './template.ts';

const HEAD = `version: 1
name: omni
repositories: { primary: { store: ./repository, password: { env: PASSWORD } } }
sources:
  omni-db: { type: postgres, url: { env: DATABASE_URL } }
standbys: { omni-db-eu: { of: omni-db, url: { env: EU_URL } } }
contacts: { oncall: { role: On-call engineer }, lead: { role: DevOps lead } }
services: { api: { http: https://api.example/health } }
maintenance:
  on:  { http: { url: https://app.example/maintenance, method: PUT } }
  off: { http: { url: https://app.example/maintenance, method: DELETE } }
`;

const REGION_FAILURE = [
  '{ id: lb, do: service.check, service: api, within: 5m, onFailure: continue }',
  '{ id: go, do: approve, ask: "Promote the EU replica?", by: [oncall, lead], count: 1 }',
  '{ id: fence, do: postgres.fence, source: omni-db, onFailure: ask }',
  '{ id: promote, do: postgres.promote, standby: omni-db-eu, within: 15m }',
  '{ id: dns, do: dns.update, provider: rfc2136, server: ns.omni.example, name: db.omni.example, type: CNAME, value: db-eu.omni.example, within: 60m }',
  '{ id: verify, do: verify, sources: [omni-db], against: omni-db-eu, within: 15m, restoresService: true }',
  '{ id: protect, do: backup, sources: [omni-db], prove: true }',
  '{ id: watch, do: monitor, services: [api], for: 1h }',
  '{ id: review, do: review, within: 24h }',
];

const CORRUPTION = [
  '{ id: stop, do: maintenance.on }',
  '{ id: scope, do: compare, source: omni-db, within: 10m, onFailure: continue }',
  '{ id: point, do: recovery-point, source: omni-db, choose: latest-clean, before: "${incident.since}" }',
  '{ id: restore, do: restore, source: omni-db, at: "${point.time}", to: "${target}", within: 60m }',
  '{ id: verify, do: verify, sources: [omni-db], against: "${restore.target}", within: 30m }',
  '{ id: switch, do: connection.update, set: { secret: projects/omni/secrets/database-url }, value: "${restore.url}", drill: skip }',
  '{ id: resume, do: maintenance.off, within: 10m, restoresService: true }',
  '{ id: cause, do: task, ask: "Root cause found and written down", assignee: lead }',
];

const runbookOf = (steps: readonly string[]): string =>
  [
    'runbooks:',
    '  it:',
    '    scenario: Something has happened',
    '    objectives: { rto: 2h30m }',
    '    params: { target: { required: true, help: "URL or directory" } }',
    '    steps:',
    ...steps.map((step) => `      - ${step}`),
    'drills: [{ runbooks: "*", schedule: quarterly }]',
  ].join('\n');

const planOf = (steps: readonly string[]) =>
  parsePlan(`${HEAD}${runbookOf(steps)}\n`, { file: 'holdfast.yaml', directory: '/srv' }).plan;

function problemsOf(...steps: string[]): string[] {
  try {
    planOf(steps);
    return [];
  } catch (error) {
    if (!(error instanceof PlanInvalidError)) throw error;
    return error.problems.map(({ path, message }) => `${path.replace('runbooks.it.steps.', '')}: ${message}`);
  }
}

describe('a runbook', () => {
  test('is ready to be worked with', () => {
    const { runbooks, drills } = planOf(CORRUPTION);
    const runbook = runbooks.get('it')!;
    expect(runbook).toMatchObject({ severity: 'p1', trigger: 'manual', objectives: { rtoMs: 9_000_000 } });
    expect(runbook.params).toEqual([{ name: 'target', required: true, help: 'URL or directory' }]);
    expect(runbook.steps.map(({ id, needs }) => [id, ...needs])).toEqual([
      ['stop'],
      ['scope', 'stop'],
      ['point', 'scope'],
      ['restore', 'point'],
      ['verify', 'restore'],
      ['switch', 'verify'],
      ['resume', 'switch'],
      ['cause', 'resume'],
    ]);
    expect(runbook.steps[3]).toMatchObject({ withinMs: 3_600_000, onFailure: 'stop', retries: 0 });
    expect(drills).toMatchObject([{ name: '1', runbooks: ['it'], isRescue: false }]);
    expect(planOf(REGION_FAILURE).runbooks.get('it')!.steps).toHaveLength(9);
  });

  test.each([
    ['{ id: a, do: aprove, ask: x, by: [lead] }', '0.do: found "aprove", expected "do: approve"'],
    ['{ id: a, do: note, text: x, titl: y }', '0.titl: unknown key; did you mean "title"?'],
    ['{ id: a, do: approve, ask: x, by: [leed] }', '0.by.0: there is no contact "leed"; did you mean "lead"?'],
    ['{ id: a, do: service.check, service: ap }', '0.service: there is no service "ap"; did you mean "api"?'],
    [
      '{ id: a, do: note, text: "${b.time}" }',
      '0.text: "${b.time}" is neither a parameter nor something that an earlier step finds out',
    ],
    [
      '{ id: a, do: note, text: "${incident.sinc}" }',
      '0.text: an incident has no "sinc"; expected one of id, since, severity, runbook, kind',
    ],
    [
      '{ id: a, do: note, text: x, when: "yes" }',
      '0.when: "yes" compares nothing; expected a comparison such as ${check.state} == failed',
    ],
    ['{ id: target, do: note, text: x }', '0.id: "target" already stands for something else; expected another id'],
    ['{ id: a, do: isolate }', '0: says not what is cut off; expected "exec", "http" or "source"'],
    ['{ id: a, do: isolate, source: omni-db }', '0: says not whom it cuts off; expected "users" or "allow"'],
    [
      '{ id: a, do: credentials.rotate, source: omni-db }',
      '0: says not what is rotated; expected "users" or "secrets"',
    ],
    [
      '{ id: a, do: credentials.rotate, users: [app], into: { app: x } }',
      '0: says not whose users they are; expected "source" or "url"',
    ],
    [
      '{ id: a, do: credentials.rotate, source: omni-db, users: [app] }',
      '0.users: says not where the new password of "app" goes; expected a file or a secret, as into: { app: projects/…/secrets/… }',
    ],
    [
      '{ id: a, do: credentials.rotate, source: omni-db, users: ["${target}"] }',
      '0.users: says not where the new passwords go; expected a file or a secret for each user under "into"',
    ],
    [
      '{ id: a, do: credentials.rotate, source: omni-db, users: [app, web], into: { app: app.password } }',
      '0.into: says not where the new password of "web" goes; expected a file or a secret, as into: { web: projects/…/secrets/… }',
    ],
    [
      '{ id: a, do: credentials.rotate, source: omni-db, users: [app], into: { app: app.password, ap: x } }',
      '0.into.ap: "ap" is none of "users", and gets no new password; expected it among them, or not here',
    ],
    [
      '{ id: a, do: credentials.rotate, source: omni-db, users: [app], into: { app: x }, drill: { users: [copy] , into: {} } }',
      '0.drill.into: says not where the new password of "copy" goes; expected a file or a secret, as into: { copy: projects/…/secrets/… }',
    ],
    [
      '{ id: a, do: keys.revoke, exec: [revoke], drill: { http: { url: https://keys.example } } }',
      '0.drill: expected either "exec" or "http"',
    ],
  ])('is refused for %s', (step, problem) => {
    expect(problemsOf(step)).toEqual([problem]);
  });

  test('refers to earlier steps alone', () => {
    const [one, other] = ['{ id: a, do: note, text: x, needs: [b] }', '{ id: b, do: note, text: "${a.result}" }'];
    expect(problemsOf(one, other)).toEqual([
      '0.needs.0: "b" is not an earlier step; steps need only those before them',
      '1.text: the step "a" (note) finds out no "result"',
    ]);
    expect(problemsOf(other.replace('${a.result}', 'x'), other.replace('${a.result}', 'y'))).toEqual([
      '1.id: "b" is already the id of a step',
    ]);
  });
});

const RESTORE = '{ id: restore, do: restore, source: omni-db, to: /srv/back }';
const ROTATE = '{ id: rotate, do: credentials.rotate, source: omni-db, users: [app], into: { app: app.password } }';
const FENCE = '{ id: fence, do: postgres.fence, source: omni-db }';
const PROMOTE = '{ id: promote, do: postgres.promote, standby: omni-db-eu }';

describe('an order that cannot be right', () => {
  test.each([
    [
      'credentials rotated before the restore that brings the old ones back',
      [ROTATE, RESTORE],
      ['0.do: rotates credentials that "restore" brings back; expected "rotate" after it'],
    ],
    ['and rotated again behind it', [ROTATE, RESTORE, ROTATE.replace('id: rotate', 'id: again')], []],
    ['rotated after it', [RESTORE, ROTATE], []],
    [
      'a fence after the promotion',
      [PROMOTE, FENCE],
      ['1.do: fences the old primary after "promote" has made another one; expected it before'],
    ],
    [
      'a value of a step that runs side by side',
      [RESTORE, '{ id: other, do: note, text: "${restore.time}", needs: [] }'],
      ['1.text: uses what "restore" finds out, which may not have ended by then; expected it among "needs"'],
    ],
    [
      'more persons than there are',
      ['{ id: go, do: approve, ask: "Go?", by: [lead, lead], count: 2 }'],
      ['0.count: 2 persons are to agree, and "by" names 1'],
    ],
    [
      'a drill of what the step does not have',
      ['{ id: a, do: note, text: x, drill: { txt: y } }'],
      ['0.drill.txt: a step of kind note has no key "txt"'],
    ],
    [
      'a name server that is not named',
      ['{ id: a, do: dns.update, provider: rfc2136, name: db.example, type: CNAME, value: eu.example }'],
      ['0.provider: rfc2136 needs "server"'],
    ],
  ])('%s', (_, steps, problems) => {
    expect(problemsOf(...steps)).toEqual(problems);
  });

  test('what starts by itself fences first, or does not', () => {
    const automatic = (steps: string[]) => {
      const text = runbookOf(steps)
        .replace('    steps:', '    trigger: automatic\n    symptoms: [availability]\n    steps:')
        .replace('required: true', 'required: false');
      try {
        parsePlan(`${HEAD}${text}\n`, { file: 'holdfast.yaml', directory: '/srv' });
        return [];
      } catch (error) {
        return error instanceof PlanInvalidError ? error.problems.map(({ message }) => message) : [String(error)];
      }
    };
    expect(automatic([FENCE, PROMOTE])).toEqual([]);
    const unproven = [
      '"promote" promotes with no fence before it that stops the runbook when it cannot be proven; expected manual',
    ];
    expect(automatic([PROMOTE])).toEqual(unproven);
    expect(automatic([FENCE.replace(' }', ', onFailure: continue }'), PROMOTE])).toEqual(unproven);
  });
});

describe('a doubtful runbook', () => {
  const doubtsOf = (steps: string[], rto: string, drills = '') =>
    parsePlan(
      `${HEAD}${runbookOf(steps)
        .replace('2h30m', rto)
        .replace(/drills:.*/, drills)}\n`,
      {
        file: 'holdfast.yaml',
        directory: '/srv',
      },
    )
      .warnings.filter(({ path }) => path.startsWith('runbooks'))
      .map(({ message }) => message);

  test('has more budget than time: by its longest way to where people can work again', () => {
    const drills = 'drills: [{ runbooks: "*", schedule: quarterly }]';
    expect(doubtsOf(REGION_FAILURE, '1h35m', drills)).toEqual([]);
    expect(doubtsOf(REGION_FAILURE, '1h34m', drills)).toEqual([
      'the steps to "verify" may take 1h35m by their budgets, and 1h34m are promised',
    ]);
    const beside = REGION_FAILURE.map((step) => step.replace('within: 60m', 'within: 60m, needs: [lb]'));
    expect(doubtsOf(beside, '1h20m', drills)).toEqual([]);
  });

  test('is never drilled, promotes without a fence, or leaves writes stopped', () => {
    expect(doubtsOf(['{ id: stop, do: maintenance.on }', PROMOTE], '1h')).toEqual([
      'no drill: nothing shows that it works',
      'no maintenance.off behind it: writes stay stopped',
      'no fence of "omni-db" before it: an old primary that comes back takes writes too',
    ]);
  });
});

describe('a text with places', () => {
  test('is filled in with what is known, and keeps the rest', () => {
    const text = 'from ${a.time} to ${ b } and ${c.d.e}';
    expect(namesInTemplate(text)).toEqual(['a.time', 'b', 'c.d.e']);
    const known: Record<string, string> = { 'a.time': 'now', b: '${a.time}' };
    expect(fillTemplate(text, (name) => known[name])).toBe('from now to ${a.time} and ${c.d.e}');
  });
});

describe('a condition', () => {
  test.each([
    ['${a.state} == done', true],
    ['${a.state} != done', false],
    ['${a.count} >= 10', true],
    ['${a.count} < 9', false],
    ['${a.state} == "done" and ${a.count} > 9', true],
    ['${a.state} == failed and ${a.count} > 9', false],
    ['${unknown} == ', false],
  ])('%s: %s', (text, expected) => {
    const known: Record<string, string> = { 'a.state': 'done', 'a.count': '10' };
    const parsed = parseCondition(text);
    if ('problem' in parsed) throw new Error(parsed.problem);
    expect(holds(parsed, (name) => known[name])).toBe(expected);
  });
});
