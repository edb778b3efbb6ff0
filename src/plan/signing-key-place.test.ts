import { expect, it } from 'vitest';
import { pathMatcher } from '../format/index.ts';
import { parsePlan } from './load.ts';

const planOf = (file: string, paths: string) =>
  parsePlan(
    `version: 1
name: shop
repositories: { main: { store: /srv/repository, password: { env: P } } }
sources: { docs: { type: files, paths: [${paths}], exclude: ["*.tmp"], schedule: hourly, retention: { last: 9 }, objectives: { rpo: 2h, rto: 1h } } }
ledger: { signingKey: { file: ${file} } }
`,
    { file: 'holdfast.yaml', directory: '/etc/[shop]' },
  );

it('keeps the signing key out of what a source of files captures, and says so', () => {
  const { plan, warnings } = planOf('signing.pem', '/etc');
  const { exclude } = plan.sources.get('docs') as { exclude: string[] };
  const isExcluded = pathMatcher(exclude);
  for (const path of ['signing.pem', 'signing.pem.next', 'a.tmp']) expect(isExcluded(`/etc/[shop]/${path}`)).toBe(true);
  for (const path of ['/etc/[shop]/signing.pem.pub', '/etc/s/signing.pem']) expect(isExcluded(path)).toBe(false);
  expect(warnings.map(({ path, message }) => [path, message])).toEqual([
    ['ledger.signingKey', expect.stringContaining('left out of it')],
  ]);
});

it('changes nothing of a source that does not hold it, and does so where nobody knows', () => {
  expect(planOf('/var/keys/signing.pem', '/etc')).toMatchObject({ warnings: [] });
  expect(planOf('/var/keys/signing.pem', '/etc').plan.sources.get('docs')).toMatchObject({ exclude: ['*.tmp'] });
  const unknown = planOf('/var/keys/signing.pem', '{ env: WHERE }');
  expect(unknown.plan.sources.get('docs')).toMatchObject({ exclude: { length: 3 } });
});

it('refuses a key that lies in a repository', () => {
  expect(() => planOf('/srv/repository/signing.pem', '/etc')).toThrow(
    /lies in the repository "main": who can read that/,
  );
});
