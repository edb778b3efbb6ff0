import { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent, SigningKeysListed } from '../../ledger/index.ts';
import { homeLedgers } from '../home-ledgers.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { type KeyList, newestKeyList, sealKeyList, withKey } from './key-list.ts';
import type { SigningKey } from './signing-key.ts';
import { changeKeysAlone } from './sole-change.ts';

/** About one a second: who records a first key needs a few requests for it. */
const FIRST_KEY_ATTEMPTS = 60;

/** What the ledgers say of the keys that sign, and how far each ledger is. */
export interface KeyRegister {
  /** Absent where no key was ever recorded. */
  list?: KeyList;
  /** The event that has it. */
  newest?: SigningKeysListed;
  /** The revision that each ledger has; 0 where it has none. */
  places: { opened: OpenedRepository; revision: number }[];
}

/** @throws what keeps a repository from being read */
export async function readKeyRegister(workspace: Workspace): Promise<KeyRegister> {
  const { ledgers } = await homeLedgers(workspace);
  const bodies: SigningKeysListed[] = [];
  const places: KeyRegister['places'] = [];
  for (const opened of ledgers) {
    const own = await listingsIn(opened);
    bodies.push(...own);
    places.push({ opened, revision: newestKeyList(own.map(({ envelope }) => envelope))?.revision ?? 0 });
  }
  const list = newestKeyList(bodies.map(({ envelope }) => envelope));
  const newest = list && bodies.findLast(({ envelope }) => newestKeyList([envelope])?.revision === list.revision);
  return { ...(list && { list }), ...(newest && { newest }), places };
}

/** The lists of keys that a repository's ledger has, oldest first. */
export async function listedIn(opened: Pick<OpenedRepository, 'ledger'>): Promise<string[]> {
  return (await listingsIn(opened)).map(({ envelope }) => envelope);
}

async function listingsIn({ ledger }: Pick<OpenedRepository, 'ledger'>): Promise<SigningKeysListed[]> {
  return listingsOf(await ledger.events({ kinds: ['signing-keys.listed'] }));
}

function listingsOf(events: readonly LedgerEvent[]): SigningKeysListed[] {
  return events.flatMap((event) => (event.kind === 'signing-keys.listed' ? [event.body] : []));
}

/** The same lists, of events that were read. */
export function listsIn(events: readonly LedgerEvent[]): string[] {
  return listingsOf(events).map(({ envelope }) => envelope);
}

/** Records the newest list where it is not: who recorded it was cut off, or the repository is newer. */
export async function spreadKeyList({ places, list, newest }: KeyRegister): Promise<void> {
  if (list !== undefined && newest !== undefined) await recordKeyList({ places }, list, newest);
}

/** Records a list, in every ledger that does not have it. */
export async function recordKeyList(
  { places }: Pick<KeyRegister, 'places'>,
  list: KeyList,
  body: SigningKeysListed,
): Promise<void> {
  for (const { opened, revision } of places) {
    if (revision < list.revision) await opened.ledger.append('signing-keys.listed', body);
  }
}

/**
 * Sees that the plan's key is the one that signs, and that every ledger says so; a first one is recorded as that.
 * Of two first ones at once the second waits for what the first records.
 * @returns the keys there were, and the same as evidence
 * @throws signing-key-refused where the ledger names another one; repository-locked where somebody else takes long to record one
 */
export async function listSigningKey(
  workspace: Workspace,
  own: SigningKey,
): Promise<{ list: KeyList; keyList: string }> {
  const register = await readKeyRegister(workspace);
  if (register.list !== undefined) return vouched(workspace, own, { ...register, list: register.list });
  return changeKeysAlone(
    workspace,
    async (confirm) => {
      const found = await readKeyRegister(workspace);
      if (found.list !== undefined) return vouched(workspace, own, { ...found, list: found.list });
      return listFirst(workspace, own, found, confirm);
    },
    { attempts: FIRST_KEY_ATTEMPTS },
  );
}

async function vouched(
  workspace: Workspace,
  own: SigningKey,
  register: KeyRegister & { list: KeyList },
): Promise<{ list: KeyList; keyList: string }> {
  const { list } = register;
  assertSigns(list, own);
  await spreadKeyList(register);
  return { list, keyList: sealKeyList(list, signingBy(workspace, own), [own.privateKey]) };
}

async function listFirst(
  workspace: Workspace,
  own: SigningKey,
  register: KeyRegister,
  confirm: () => Promise<void>,
): Promise<{ list: KeyList; keyList: string }> {
  const signing = signingBy(workspace, own);
  const first = withKey(undefined, { key: own.fingerprint, publicKey: own.publicKey }, signing.signedAt);
  const envelope = sealKeyList(first, signing, [own.privateKey]);
  await confirm();
  await recordKeyList(register, first, { change: 'recorded', key: own.fingerprint, envelope });
  return { list: first, keyList: envelope };
}

/** What every statement says of who signs it, and when. */
export function signingBy(
  { plan, environment }: Workspace,
  { fingerprint: key }: Pick<SigningKey, 'fingerprint'>,
): { plan: string; key: string; signedAt: string; tool: { name: string; version: string } } {
  const signedAt = new Date(environment.clock.nowMs()).toISOString();
  return { plan: plan.name, key, signedAt, tool: { name: 'holdfast', version: environment.version } };
}

/** @throws signing-key-refused */
export function assertSigns({ keys }: KeyList, { fingerprint }: Pick<SigningKey, 'fingerprint'>): void {
  const current = keys.at(-1)!;
  if (current.key === fingerprint) return;
  const known = keys.find(({ key }) => key === fingerprint);
  const isOld = known !== undefined;
  const how = isOld
    ? `was ${known.revoked === undefined ? 'replaced' : 'revoked'} at ${known.revoked?.at ?? known.until}`
    : 'is not the one that the ledger names';
  throw new HoldfastError('signing-key-refused', `the signing key of the plan, ${fingerprint.slice(0, 16)}, ${how}`, {
    hint: isOld
      ? `Put the key ${current.key.slice(0, 16)} where the plan says. Where \`evidence rotate\` or \`evidence revoke\` was cut off, the same command again does that.`
      : '`holdfast evidence rotate` makes it the one that signs from now on. If nobody of yours put it there, find out who did.',
    context: { key: fingerprint, expected: current.key },
  });
}
