import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { testDirectory } from '../../../../test/support/repository.ts';
import { SecretManagerServer } from '../../../../test/support/secret-manager-server.ts';
import { describeStep } from '../../../../test/support/step-conformance.ts';
import { bareWorkspace, contextOf } from '../../../../test/support/steps.ts';
import { connectionUpdate } from './index.ts';
import { setLine } from './lines.ts';

const PASSWORD = 'p@ss word/1';
const NEW = 'postgres://app:p%40ss%20word%2F1@new/db';

function clients() {
  const directory = testDirectory();
  const file = join(directory, 'app.env');
  writeFileSync(file, "# the application's\nexport DATABASE_URL='postgres://app:old@old/db'\nDATABASE_URL_2=kept\n");
  chmodSync(file, 0o640);
  const workspace = bareWorkspace({ directory }, { variables: { PASSWORD } });
  const context = (set: object, more = {}) =>
    contextOf(
      workspace,
      { do: 'connection.update', set, value: 'postgres://app@new/db', password: { env: 'PASSWORD' } },
      more,
    );
  return { directory, file, context, workspace };
}

describeStep(
  'connection.update',
  async () => {
    const { directory, file, context } = clients();
    mkdirSync(join(directory, 'is-a-directory'));
    return {
      kind: connectionUpdate,
      works: (more) => context({ file: 'app.env', key: 'DATABASE_URL' }, more),
      world: async () => readFileSync(file, 'utf8'),
      isDone: async () => readFileSync(file, 'utf8').includes(`export DATABASE_URL='${NEW}'\n`),
      obstructed: { context: () => context({ file: 'nowhere/app.env' }), says: /nowhere is not there/ },
      fails: () => context({ file: 'is-a-directory' }),
      secrets: [PASSWORD, NEW],
    };
  },
  { without: ['slow'] },
);

describe('a file that clients read', () => {
  it('keeps its other lines, its mode and its owner, and the link that leads to it', async () => {
    const { directory, file, context } = clients();
    symlinkSync(file, join(directory, 'link'));
    const { outputs, summary } = await connectionUpdate.run(context({ file: 'link', key: 'DATABASE_URL' }));
    expect(readFileSync(file, 'utf8')).toBe(`# the application's\nexport DATABASE_URL='${NEW}'\nDATABASE_URL_2=kept\n`);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(lstatSync(join(directory, 'link')).isSymbolicLink()).toBe(true);
    expect([outputs, summary]).toEqual([{ path: file }, `DATABASE_URL in ${file} was replaced`]);
    const again = await connectionUpdate.run(context({ file: 'link', key: 'DATABASE_URL' }));
    expect(again.summary).toMatch(/was what it is to be already$/);
  });

  it('is made where there is none, for its owner alone, and what a killed run left goes', async () => {
    const { directory, context } = clients();
    writeFileSync(join(directory, '.new.holdfast'), 'half of a secr');
    await connectionUpdate.run(context({ file: 'new' }));
    expect(readFileSync(join(directory, 'new'), 'utf8')).toBe(`${NEW}\n`);
    expect(statSync(join(directory, 'new')).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory).sort()).toEqual(['app.env', 'new']);
  });

  it('says when anybody may read it', async () => {
    const { file, context } = clients();
    chmodSync(file, 0o644);
    const { summary } = await connectionUpdate.run(context({ file: 'app.env', key: 'DATABASE_URL' }));
    expect(summary).toMatch(/anybody on that machine may read it$/);
  });
});

describe('a line of a file', () => {
  it('gets quotes where it needs them, and keeps those that it had', () => {
    expect(setLine('A=1\n', 'A', 'x y')).toBe("A='x y'\n");
    expect(setLine('A="1"\nB=2', 'A', 'x')).toBe('A="x"\nB=2');
    expect(setLine('A="1"\n', 'A', 'cost$')).toBe("A='cost$'\n");
    expect(setLine('B=2', 'A', 'x')).toBe('B=2\nA=x\n');
    expect(setLine('A=1\r\nB=2\r\n', 'A', 'x')).toBe('A=x\r\nB=2\r\n');
  });

  it('cannot hold what would be more than one line, or end its own quotes', () => {
    expect(() => setLine('', 'A', 'x\ny')).toThrow(/more than one line/);
    expect(() => setLine('', 'A', `'"`)).toThrow(/quotes/);
  });

  it('changes no other, whatever stands there', () => {
    const line = fc.stringMatching(/^[#BC a-z=]{0,12}$/);
    fc.assert(
      fc.property(
        fc.array(line),
        fc.array(line),
        fc.stringMatching(/^[a-z0-9:@._ -]{0,12}$/),
        (before, behind, value) => {
          const text = (middle: string) => [...before, middle, ...behind, ''].join('\n');
          expect(setLine(text('A=old'), 'A', value)).toMatch(/^A=/m);
          const others = setLine(text('A=old'), 'A', value)
            .split('\n')
            .filter((each) => !each.startsWith('A='));
          expect(others).toEqual([...before, ...behind, '']);
        },
      ),
    );
  });
});

describe('a secret that clients read', () => {
  let server: SecretManagerServer | undefined;
  afterAll(() => server?.stop());
  const NAME = 'projects/omni/secrets/database-url';

  async function held() {
    server ??= await new SecretManagerServer().start();
    server.put(NAME, ['postgres://app:old@old/db']);
    const workspace = bareWorkspace({}, { variables: { PASSWORD, SECRET_MANAGER_EMULATOR_HOST: server.host } });
    const context = (secret: string) =>
      contextOf(workspace, {
        ...{ do: 'connection.update', set: { secret }, value: 'postgres://app@new/db' },
        password: { env: 'PASSWORD' },
      });
    return { server, context };
  }

  it('gets a new version once, however often it is done', async () => {
    const { server, context } = await held();
    expect((await connectionUpdate.foresee(context(NAME))).obstacles).toEqual([]);
    expect(server.values(NAME)).toHaveLength(1);
    const first = await connectionUpdate.run(context(NAME));
    expect(first).toMatchObject({ outputs: { version: '2' }, summary: `${NAME} has a new version, 2` });
    expect((await connectionUpdate.run(context(NAME))).outputs).toEqual({ version: '2' });
    expect(server.values(NAME)).toEqual(['postgres://app:old@old/db', NEW]);
  });

  it('gets one all the same where the newest version is disabled, since nobody is given that', async () => {
    const { server, context } = await held();
    server.put(NAME, [NEW]);
    server.setState(NAME, 1, 'DISABLED');
    expect((await connectionUpdate.run(context(NAME))).outputs).toEqual({ version: '2' });
  });

  it('must be there', async () => {
    const { context } = await held();
    const { obstacles } = await connectionUpdate.foresee(context('projects/omni/secrets/none'));
    expect(obstacles).toEqual(['there is no secret projects/omni/secrets/none']);
    await expect(connectionUpdate.run(context('projects/omni/secrets/none'))).rejects.toMatchObject({
      code: 'path-missing',
    });
  });
});
