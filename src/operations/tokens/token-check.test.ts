import { describe, expect, it } from 'vitest';
import { planWith } from '../../../test/support/plan.ts';
import { movableClock, PASSWORD, testRepository } from '../../../test/support/repository.ts';
import { noProgress } from '../../foundation/progress.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { Workspace } from '../index.ts';
import { newSecret } from './secret.ts';
import { TokenCheck } from './token-check.ts';
import { addToken, listTokens, openTokens, revokeToken } from './tokens.ts';

async function prepared() {
  const clock = movableClock();
  const memory = new MemoryStore();
  await testRepository(memory);
  const store = new FaultyStore(memory);
  const plan = planWith({
    repositories: new Map([['main', { name: 'main', store: '/main', s3: { pathStyle: false }, password: PASSWORD }]]),
  });
  const signal = new AbortController().signal;
  const adapters = { openStore: async () => store } as never;
  const workspace = new Workspace(
    { plan },
    { clock, signal, adapters, variables: {}, version: '0', progress: () => noProgress },
  );
  const problems: unknown[] = [];
  const check = new TokenCheck(
    () => openTokens(workspace),
    clock,
    (error) => problems.push(error),
  );
  return { clock, store, workspace, check, problems };
}

describe('whose a token is', () => {
  it('is told by the whole token alone, until it expires', async () => {
    const { clock, workspace, check } = await prepared();
    const { token, added } = await addToken(workspace, { name: 'a', role: 'operator', expires: '1h' });
    await addToken(workspace, { name: 'b', role: 'viewer' });
    expect(await check.callerOf(token)).toEqual({ tokenId: added.id, name: 'a', role: 'operator' });
    const last = token.at(-1) === 'A' ? 'E' : 'A';
    for (const guess of ['', 'holdfast_', `${token}A`, token.slice(0, -1), `${token.slice(0, -1)}${last}`]) {
      expect(await check.callerOf(guess)).toBeUndefined();
    }
    clock.advance(60 * 60 * 1000);
    expect(await check.callerOf(token)).toBeUndefined();
  });

  it('is known within seconds of its making, and not half a minute after its revocation', async () => {
    const { clock, workspace, check } = await prepared();
    const first = await addToken(workspace, { name: 'first', role: 'viewer' });
    expect(await check.callerOf(first.token)).toBeDefined();
    const second = await addToken(workspace, { name: 'second', role: 'viewer' });
    clock.advance(2_001);
    expect(await check.callerOf(second.token)).toBeDefined();
    await revokeToken(workspace, { name: 'second' });
    expect(await check.callerOf(second.token)).toBeDefined();
    clock.advance(30_001);
    expect(await check.callerOf(second.token)).toBeUndefined();
    await revokeToken(workspace, { name: 'first' });
    check.forgetAge();
    expect(await check.callerOf(first.token)).toBeUndefined();
  });

  it('costs the store nothing to guess, and is told while the store is away', async () => {
    const { clock, store, workspace, check, problems } = await prepared();
    const { token } = await addToken(workspace, { name: 'a', role: 'viewer' });
    expect(await check.callerOf(token)).toBeDefined();
    const before = store.calls.length;
    for (let guess = 0; guess < 100; guess++) expect(await check.callerOf(newSecret())).toBeUndefined();
    expect(store.calls.length).toBe(before);
    clock.advance(2_001);
    for (let guess = 0; guess < 100; guess++) expect(await check.callerOf(newSecret(), true)).toBeUndefined();
    expect(await check.callerOf(token, true)).toBeDefined();
    expect(store.calls.length).toBe(before);
    store.rule = () => 'before';
    clock.advance(60_000);
    expect(await check.callerOf(token)).toBeDefined();
    expect(problems).toMatchObject([{ code: 'store-unreachable' }]);
  });

  it('is told, and that it is revoked, though another one cannot be read', async () => {
    const { clock, store, workspace, check, problems } = await prepared();
    await store.put('holdfast/tokens/0000000000000000', Buffer.from('of a later version'));
    const { token } = await addToken(workspace, { name: 'a', role: 'viewer' });
    expect(await check.callerOf(token)).toMatchObject({ name: 'a' });
    expect(problems).toMatchObject([{ code: 'repository-damaged' }]);
    await revokeToken(workspace, { name: 'a' });
    clock.advance(30_001);
    expect(await check.callerOf(token)).toBeUndefined();
    const { tokens, damaged } = await listTokens(workspace);
    expect(tokens).toMatchObject([{ name: 'a', state: 'revoked' }]);
    expect(damaged).toMatchObject([{ code: 'repository-damaged' }]);
  });

  it('is not told where the tokens were never read', async () => {
    const { store, check } = await prepared();
    store.rule = () => 'before';
    await expect(check.callerOf(newSecret())).rejects.toMatchObject({ code: 'store-unreachable' });
    store.rule = () => undefined;
    expect(await check.callerOf(newSecret())).toBeUndefined();
  });
});
