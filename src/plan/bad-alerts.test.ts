import { describe, expect, test } from 'vitest';
import { FILES, HEAD, linesIn } from '../../test/support/bad-plan.ts';

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
