import type { KeyObject } from 'node:crypto';
import type { ReportMessage } from '../../alert/index.ts';
import { fingerprintOf, parsePublicKey } from '../../evidence/index.ts';
import { seal, unseal } from '../../format/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../../foundation/errors.ts';
import { readGivenFile } from '../../foundation/given-file.ts';
import { escapeHtml } from '../../foundation/html.ts';
import { type Pause, pauseUntilAborted } from '../../foundation/pause.ts';
import type { Checkpoint } from '../../ledger/index.ts';
import { resolveSecret, storePlace, type TextOrReference } from '../../plan/index.ts';
import { CHECKPOINTS_PREFIX } from '../../repository/index.ts';
import { believed, type ListedKey, newestKeyList } from '../evidence/key-list.ts';
import { assertSigns, listedIn, listsIn } from '../evidence/key-register.ts';
import { readSigningKey, type SigningKey } from '../evidence/signing-key.ts';
import { type Attempted, deliver } from '../notify/deliver.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';

/** What a ledger is held against. */
export interface CheckpointChoice {
  /** A file with a checkpoint; else the newest that the repository holds. */
  checkpointFile?: string;
  /** A file with the key that is believed; else that of the plan. */
  publicKeyFile?: string;
}

export interface SignedLedger {
  repository: string;
  outcome: 'complete' | 'partial' | 'failed';
  /** Of the object in the repository. */
  checkpoint?: string;
  events?: number;
  /** Where copies went. */
  sentTo: string[];
  /** Channels that took one. */
  channels: string[];
  /** What went wrong: with all of it, or with copies. */
  errors: HoldfastError[];
}

/**
 * Reads the ledgers of these repositories, or of all that sources are kept in, and signs what they hold. A ledger that is not
 * whole is not signed, nor is one that a checkpoint before contradicts. Copies go to where the plan says, and to its channels.
 * @param pause between attempts to reach a channel; as long as it takes, when left out
 * @throws bad-usage when the plan names no key; secret-unavailable
 */
export async function signLedgers(
  workspace: Workspace,
  names: readonly string[],
  pause: Pause = pauseUntilAborted(workspace.environment.signal),
): Promise<SignedLedger[]> {
  const key = await readSigningKey(workspace);
  const wanted = names.length > 0 ? names.map((name) => workspace.repositoryName(name)) : workspace.homeNames;
  const signed: SignedLedger[] = [];
  for (const name of new Set(wanted)) signed.push(await signLedger(workspace, name, { key, pause }));
  return signed;
}

async function signLedger(
  workspace: Workspace,
  name: string,
  { key, pause }: { key: SigningKey; pause: Pause },
): Promise<SignedLedger> {
  const result: SignedLedger = { repository: name, outcome: 'complete', sentTo: [], channels: [], errors: [] };
  try {
    const opened = await workspace.open(name, { uncached: true });
    const made = await makeCheckpoint(workspace, opened, key);
    result.checkpoint = made.key;
    result.events = made.checkpoint.events;
    for (const place of workspace.plan.ledger.checkpoints?.to ?? []) {
      try {
        result.sentTo.push(await send(workspace, place, made));
      } catch (error) {
        result.errors.push(reportable(error, workspace.environment.signal));
        result.outcome = 'partial';
      }
    }
    for (const channel of workspace.plan.ledger.checkpoints?.channels ?? []) {
      const { error } = await tell(workspace, channel, { name, made, pause });
      if (error === undefined) result.channels.push(channel);
      else {
        result.errors.push(error);
        result.outcome = 'partial';
      }
    }
    await workspace.recorder(name).record('checkpoint.signed', {
      checkpoint: made.key,
      sha256: made.sha256,
      events: made.checkpoint.events,
      key: made.keyFingerprint,
      sentTo: result.sentTo,
      ...(result.channels.length > 0 && { channels: result.channels }),
    });
  } catch (error) {
    result.errors.push(reportable(error, workspace.environment.signal));
    result.outcome = 'failed';
  }
  return result;
}

interface Made {
  checkpoint: Checkpoint;
  key: string;
  text: string;
  sha256: string;
  keyFingerprint: string;
}

async function makeCheckpoint(workspace: Workspace, opened: OpenedRepository, signingKey: SigningKey): Promise<Made> {
  const { name, repository, ledger } = opened;
  const layer = await import('../../ledger/index.ts');
  const before = await checkpointFor(workspace, opened, {});
  // From before anything is read: what is recorded meanwhile is not bound, and must not be said to be.
  const time = new Date(workspace.environment.clock.nowMs()).toISOString();
  const { faults, events, heads, digest } = await ledger.verify(before);
  const [fault] = faults;
  if (fault !== undefined) {
    throw new HoldfastError('repository-damaged', `the ledger of ${name} is not signed: ${fault.message}`, {
      hint: 'See all that is wrong with `holdfast ledger verify`.',
      context: { repository: name, faults: faults.length },
    });
  }
  const checkpoint: Checkpoint = {
    version: 1,
    plan: workspace.plan.name,
    repository: repository.config.id,
    time,
    events,
    heads: Object.fromEntries(heads.map(({ writer, sequence, hash }) => [writer, { sequence, hash }])),
    digest,
  };
  const text = layer.signCheckpoint(checkpoint, signingKey.privateKey);
  const sha256 = layer.sha256(Buffer.from(text));
  const key = `${CHECKPOINTS_PREFIX}${checkpoint.time.replaceAll(':', '')}-${sha256.slice(0, 16)}.json`;
  await repository.store.put(key, seal(repository.key, Buffer.from(text)));
  return { checkpoint, key, text, sha256, keyFingerprint: signingKey.fingerprint };
}

/** @returns where it is now */
async function send(workspace: Workspace, to: TextOrReference, { key, text, checkpoint }: Made): Promise<string> {
  const { adapters, clock, signal, variables } = workspace.environment;
  const place = await storePlace({ store: to, s3: { pathStyle: false } }, workspace.references);
  const store = await adapters.openStore(place, { clock, signal, variables });
  const name = key.slice(CHECKPOINTS_PREFIX.length);
  await store.put(`${workspace.plan.name}-${checkpoint.repository.slice(0, 8)}-${name}`, Buffer.from(text));
  return store.location;
}

/** The text of the message is the checkpoint, as a file of it is; its title names the digest, which vouches for it as well. */
function tell(
  workspace: Workspace,
  channel: string,
  { name, made, pause }: { name: string; made: Made; pause: Pause },
): Promise<Attempted> {
  const { plan, environment } = workspace;
  const { text, sha256, checkpoint } = made;
  const title = `Checkpoint of ${name} (${plan.name}), ${checkpoint.time}: SHA-256 ${sha256}`;
  const markdown = `# ${title}\n\n\`\`\`json\n${text}\`\`\`\n`;
  const html = `<!doctype html><meta charset="utf-8"><title>${escapeHtml(title)}</title><h1>${escapeHtml(title)}</h1><pre>${escapeHtml(text)}</pre>`;
  const message: ReportMessage = { kind: 'report', plan: plan.name, title, text, markdown, html };
  const { signal } = environment;
  return deliver(() => workspace.createChannel(channel), message, { pause, signal });
}

/** Whether a checkpoint of a repository's ledger was ever made, as far as the repository shows. */
export async function hasCheckpoint({ repository }: Pick<OpenedRepository, 'repository'>): Promise<boolean> {
  return (await checkpointKeys(repository)).length > 0;
}

/**
 * The checkpoint that a ledger is held against; undefined where there is none, or no key that one could be believed by.
 * @throws repository-damaged when it cannot be believed; bad-usage for a checkpoint without a key
 */
export async function checkpointFor(
  workspace: Workspace,
  opened: OpenedRepository,
  { checkpointFile, publicKeyFile }: CheckpointChoice,
): Promise<Checkpoint | undefined> {
  const { name, repository } = opened;
  const { signingKey } = workspace.plan.ledger;
  if (publicKeyFile === undefined && signingKey === undefined) {
    if (checkpointFile === undefined) return undefined;
    throw new HoldfastError('bad-usage', 'a checkpoint is believed by a key alone', {
      hint: 'Give the public key that it was signed with by `--public-key FILE`.',
    });
  }
  const pem = publicKeyFile === undefined ? resolveSecret(signingKey!, workspace.references) : readText(publicKeyFile);
  const publicKey = parsePublicKey(await pem);
  if (publicKeyFile === undefined) await assertCurrent(workspace, name, publicKey);
  if (checkpointFile === undefined) return newestCheckpoint(opened, publicKey);
  const { openCheckpoint } = await import('../../ledger/index.ts');
  const checkpoint = openCheckpoint(await readText(checkpointFile), publicKey);
  if (checkpoint.repository === repository.config.id) return checkpoint;
  throw new HoldfastError('bad-usage', `${checkpointFile} is a checkpoint of another repository than ${name}`, {
    hint: 'Name the repository that it is of with `--repository NAME`.',
    context: { repository: name },
  });
}

/** What the plan's key vouches for counts for nothing once another one took its place: others may have it. @throws signing-key-refused */
async function assertCurrent(workspace: Workspace, name: string, publicKey: KeyObject): Promise<void> {
  try {
    const list = newestKeyList(await listedIn(await workspace.openToRead(name)));
    if (list !== undefined) assertSigns(list, { fingerprint: fingerprintOf(publicKey) });
  } catch (error) {
    // Then it is not whole, which whoever verifies it says in full.
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
  }
}

/** The newest checkpoint in a repository that no revoked key has signed. */
async function newestCheckpoint(opened: OpenedRepository, publicKey: KeyObject): Promise<Checkpoint | undefined> {
  const { name, repository } = opened;
  const { openCheckpoint, signerOf } = await import('../../ledger/index.ts');
  for (const key of (await checkpointKeys(repository)).reverse()) {
    const text = unseal(repository.key, await repository.store.get(key)).toString('utf8');
    const earlier = await earlierKey(opened, signerOf(text), publicKey);
    if (earlier?.revoked !== undefined) continue;
    const found = openCheckpoint(text, earlier === undefined ? publicKey : believed(earlier));
    if (found.repository !== repository.config.id) throw ofAnother(name, key);
    if (earlier?.until === undefined || found.time <= earlier.until) return found;
    throw new HoldfastError(
      'repository-damaged',
      `${key} in ${name} is signed with a key that had been replaced before`,
      {
        hint: 'Somebody has the key that signed until then: see `holdfast evidence keys`, and `holdfast evidence revoke`.',
        context: { repository: name, key },
      },
    );
  }
  return undefined;
}

/** The key that signed before this one, where the list says so that this one signed. */
async function earlierKey(
  opened: OpenedRepository,
  signer: string | undefined,
  publicKey: KeyObject,
): Promise<ListedKey | undefined> {
  const current = fingerprintOf(publicKey);
  if (signer === undefined || signer === current) return undefined;
  const list = newestKeyList(await listedWhole(opened));
  return list?.keys.at(-1)?.key === current ? list.keys.find(({ key }) => key === signer) : undefined;
}

/** Of a ledger that is damaged, what there is: the newest key vouches for the list that names it, and what is wrong is told. */
async function listedWhole(opened: OpenedRepository): Promise<string[]> {
  try {
    return await listedIn(opened);
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    return listsIn((await opened.ledger.verifyAndRead()).events);
  }
}

/** What another repository held says nothing of this one: its whole ledger may have been put here with it. */
function ofAnother(name: string, key: string): HoldfastError {
  return new HoldfastError('repository-damaged', `${key} in ${name} is a checkpoint of another repository`, {
    hint: 'Somebody put it there. Hold the ledger against a copy of a checkpoint that was kept elsewhere, with `--checkpoint FILE`.',
    context: { repository: name, key },
  });
}

/** Oldest first. */
async function checkpointKeys({ store }: OpenedRepository['repository']): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(CHECKPOINTS_PREFIX)) if (key.endsWith('.json')) keys.push(key);
  return keys.sort();
}

/** Far more than a checkpoint or a key has. */
const LARGEST_GIVEN_BYTES = 1024 * 1024;

async function readText(path: string): Promise<string> {
  try {
    return (await readGivenFile(path, LARGEST_GIVEN_BYTES)).toString('utf8');
  } catch (cause) {
    throw new HoldfastError('path-missing', `${path} cannot be read: ${messageOf(cause)}`, {
      hint: 'Name the file of a checkpoint by `--checkpoint`, of a public key by `--public-key`.',
      cause,
    });
  }
}
