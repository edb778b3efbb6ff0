import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { HoldfastError, isHoldfastError, messageOf } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { sha256 } from '../../ledger/index.ts';
import { diffPlans, type LoadedPlan, parsePlan, showPlan, storePlace } from '../../plan/index.ts';
import { openRepository } from '../../repository/index.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import type { KitContent, KitRepository } from './kit-content.ts';
import { openKit } from './open-kit.ts';
import { kitPlace, placeText } from './places.ts';
import { publicKeysOf, revokedKeysOf } from './public-keys.ts';
import { readKitFile } from './sealed-kit.ts';

export interface CheckedKit {
  file: string;
  madeAt: string;
  ageMs: number;
  /** `current`: it brings back what there is today. */
  outcome: 'current' | 'outdated';
  repositories: { repository: string; place: string; result: 'opens' | 'fails' | 'empty'; detail?: string }[];
  /** Why it is outdated, in words. */
  problems: string[];
  notes: string[];
}

export interface KitCheckRequest {
  /** Absolute; the newest that was made on this machine, when left out. */
  file?: string;
  /** Asked for once the file is known to be there and as it was written. */
  passphrase: () => Promise<string>;
}

/**
 * Proves that a kit opens today's repositories, by the kit's own keys, and that nothing has changed since that it should know.
 * What was found is recorded.
 * @throws path-missing, kit-damaged, wrong-password, too-few-shares
 */
export async function checkKit(
  workspace: Workspace,
  loaded: LoadedPlan,
  { file: named, passphrase }: KitCheckRequest,
): Promise<CheckedKit> {
  const { opened: homes, unread } = await openAll(workspace);
  const made = await madeKits(homes);
  const file = named ?? newestOf(made) ?? resolve(workspace.plan.directory, workspace.plan.kit.file);
  await refuseDamaged(file, made);
  const { content, sha256: digest } = await openKit({ file, passphrase: await passphrase() });
  const repositories = await openByKit(workspace, content);
  const problems = [
    ...repositories.flatMap(({ repository, result, detail = '' }) =>
      result === 'fails' ? [`${repository}: ${detail}`] : [],
    ),
    ...planProblems(loaded, content),
    ...(await keyProblems(workspace, content)),
    ...(await rotationProblems(homes, content, new Set(made.map(({ body }) => body.key)))),
    ...unread,
  ];
  const outcome = problems.length === 0 ? 'current' : 'outdated';
  const { madeAt } = content;
  const body = { sha256: digest, madeAt, outcome, ...(problems.length > 0 && { problems }) } as const;
  const notes: string[] = [];
  for (const name of workspace.homeNames) {
    try {
      await workspace.recorder(name).record('kit.checked', body);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      notes.push(`this was not recorded in the ledger of ${name}: ${messageOf(error)}`);
    }
  }
  const ageMs = workspace.environment.clock.nowMs() - Date.parse(madeAt);
  return { file, madeAt, ageMs, outcome, repositories, problems, notes };
}

/** @returns also, of each that the plan does not open, what could not be looked at for that reason */
async function openAll(workspace: Workspace): Promise<{ opened: OpenedRepository[]; unread: string[] }> {
  const opened: OpenedRepository[] = [];
  const unread: string[] = [];
  for (const name of workspace.homeNames) {
    try {
      opened.push(await workspace.open(name));
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      unread.push(`whether a key of ${name} was taken away since cannot be told: ${error.message}`);
    }
  }
  return { opened, unread };
}

type KitMadeEvent = Extract<LedgerEvent, { kind: 'kit.made' }>;

async function madeKits(homes: readonly OpenedRepository[]): Promise<KitMadeEvent[]> {
  const made: KitMadeEvent[] = [];
  for (const { ledger } of homes) {
    for (const event of await ledger.events({ kinds: ['kit.made'] })) if (event.kind === 'kit.made') made.push(event);
  }
  return made.sort((one, other) => (one.time < other.time ? -1 : 1));
}

/** Where the newest kit of this machine is. */
function newestOf(made: readonly KitMadeEvent[]): string | undefined {
  const own = made.findLast(({ body }) => body.host === hostname() && existsSync(body.file));
  return own?.body.file;
}

/** Of a kit that was made there and is not as it was written, no passphrase is needed to say so. */
async function refuseDamaged(file: string, made: readonly KitMadeEvent[]): Promise<void> {
  const digest = sha256(await readKitFile(file));
  if (made.some(({ body }) => body.sha256 === digest)) return;
  const last = made.findLast(({ body }) => body.file === file && body.host === hostname());
  if (last === undefined) return;
  throw new HoldfastError('kit-damaged', `${file} is not the kit that was made there at ${last.time}`, {
    hint: 'Take another copy of the kit, or make a new one with `holdfast kit`.',
    context: { file, expected: last.body.sha256, found: digest },
  });
}

/** Every repository and mirror of today's plan, at its place of today, by the kit's key. */
async function openByKit(workspace: Workspace, kit: KitContent): Promise<CheckedKit['repositories']> {
  const { repositories, mirrors } = workspace.plan;
  const found: CheckedKit['repositories'] = [];
  for (const planned of [...repositories.values(), ...mirrors.values()]) {
    const kept = kit.repositories.find(({ name }) => name === planned.name);
    const place = kitPlace(await storePlace(planned, workspace.references));
    const about = { repository: planned.name, place: placeText(place) };
    if (kept === undefined) found.push({ ...about, result: 'fails', detail: 'the kit does not know it' });
    else if (JSON.stringify(kept.place) !== JSON.stringify(place)) {
      found.push({ ...about, result: 'fails', detail: `the kit has it at ${placeText(kept.place)}` });
    } else found.push({ ...about, ...(await tryKey(workspace, kept)) });
  }
  return found;
}

async function tryKey(
  workspace: Workspace,
  { name, id, password, mirrorOf }: KitRepository,
): Promise<Pick<CheckedKit['repositories'][number], 'result' | 'detail'>> {
  try {
    const { store } = await workspace.storeOf(name);
    const { config } = await openRepository(store, password);
    if (config.id === id) return { result: 'opens' };
    return { result: 'fails', detail: 'another repository is there than the kit knows' };
  } catch (error) {
    const { code, message } = reportable(error, workspace.environment.signal);
    if (code === 'no-repository' && mirrorOf !== undefined) {
      return { result: 'empty', detail: 'no repository is there: nothing was copied there yet, or it is away' };
    }
    const isBehind = code === 'wrong-password' && mirrorOf !== undefined;
    const behind = isBehind ? ': it may be behind, `holdfast replicate` brings the key there' : '';
    return { result: 'fails', detail: `the kit's key does not open it: ${message}${behind}` };
  }
}

function planProblems(loaded: LoadedPlan, { plan }: KitContent): string[] {
  if (plan.text === loaded.text) return [];
  let before: ReturnType<typeof parsePlan>;
  try {
    before = parsePlan(plan.text, { file: 'the plan in the kit', directory: loaded.directory });
  } catch (error) {
    if (!isHoldfastError(error, 'plan-invalid')) throw error;
    return [`this version cannot read the plan in it: ${error.message}`];
  }
  const changes = diffPlans(showPlan(before), showPlan(loaded));
  if (changes.length === 0) return [];
  const named = changes.slice(0, 3).map(({ path }) => path);
  const more = changes.length > named.length ? ` and ${changes.length - named.length} more` : '';
  return [`the plan has changed since: ${named.join(', ')}${more}`];
}

async function keyProblems(workspace: Workspace, kit: KitContent): Promise<string[]> {
  const known = new Set(kit.publicKeys.map(({ fingerprint }) => fingerprint));
  const missing = (await publicKeysOf(workspace)).filter(({ fingerprint }) => !known.has(fingerprint));
  const revoked = [...(await revokedKeysOf(workspace))].filter((fingerprint) => known.has(fingerprint));
  return [
    ...missing.map(({ fingerprint }) => `the signing key ${fingerprint.slice(0, 8)} is newer`),
    ...revoked.map((fingerprint) => `the signing key ${fingerprint.slice(0, 8)}, which it vouches for, was revoked`),
  ];
}

/**
 * Whoever takes a password away means that what was known before is to be worth nothing any more.
 * @param ofKits keys of kits: that of an earlier one is to go once that is destroyed
 */
async function rotationProblems(
  homes: readonly OpenedRepository[],
  { madeAt }: KitContent,
  ofKits: ReadonlySet<string>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, ledger } of homes) {
    const removed = await ledger.events({ kinds: ['key.removed'] });
    const last = removed.findLast(
      ({ kind, body, time }) => kind === 'key.removed' && time > madeAt && !ofKits.has(body.key),
    );
    if (last !== undefined) problems.push(`${name} had a key taken away at ${last.time}, after the kit was made`);
  }
  return problems;
}
