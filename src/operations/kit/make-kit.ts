import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { access, constants, rename, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { HoldfastError, isHoldfastError, systemCode, systemReason } from '../../foundation/errors.ts';
import { sha256 } from '../../ledger/index.ts';
import { type LoadedPlan, storePlace } from '../../plan/index.ts';
import { renderHtml, renderMarkdown } from '../../report/index.ts';
import { listKeys, openRepository } from '../../repository/index.ts';
import { addPassword } from '../keys/keys.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { type KitContent, type KitRepository, packKit, unpackKit } from './kit-content.ts';
import { kitPage } from './page.ts';
import { isMade, MADE_BITS, makePassphrase, passphraseIn, type Shares, splitPassphrase } from './passphrase.ts';
import { kitPlace } from './places.ts';
import { publicKeysOf } from './public-keys.ts';
import { readKitFile, sealKit, unsealKit, writePrivate } from './sealed-kit.ts';

export interface KitRequest {
  /** The sealed file, absolute; where the plan says, when left out. */
  out?: string;
  /** What is to open it, or shares of that; a new one is made, when left out. */
  passphrase?: string;
  shares?: Shares;
}

export interface MadeKit {
  /** The sealed file, and the page as HTML and Markdown beside it. */
  file: string;
  page: { html: string; markdown: string };
  /** Of the sealed file. */
  sha256: string;
  madeAt: string;
  /** Only where it was made just now, and not split: it is in no other place. */
  passphrase?: string;
  /** How many random bits a made one has. */
  bits?: number;
  /** Each for another person; any `threshold` of them give the passphrase. */
  shares?: string[];
  threshold?: number;
  repositories: { repository: string; key: string; isNew: boolean }[];
  notes: string[];
  /** Where it could not be recorded that it was made, and why: the kit is good all the same. */
  problems: string[];
}

/** The password of a kit's key has 256 random bits, and is tried by everybody who opens the repository: a try may be cheap. */
const KEY_BYTES = 32;
const KEY_KDF = { N: 4096, r: 8, p: 1 };
/** A passphrase that a person thought of and that is shorter is named as weak. */
const SHORTEST_OWN = 20;
/** What the lines of the page call. */
const SCRIPTS = ['read-tail.sh', 'join-stream.sh', 'write-firestore.sh'];

/**
 * Makes the recovery kit: a sealed file and a printable page. It has a key of its own to each repository, which an earlier kit
 * in the same place hands on where the same passphrase opens that.
 * @throws bad-usage, target-failed, no-repository, repository-locked …
 */
export async function makeKit(workspace: Workspace, loaded: LoadedPlan, request: KitRequest): Promise<MadeKit> {
  const { plan, environment } = workspace;
  const file = request.out ?? resolve(plan.directory, plan.kit.file);
  await assertWritable(dirname(file));
  const given = request.passphrase === undefined ? undefined : await passphraseIn(request.passphrase);
  const passphrase = given ?? makePassphrase();
  const shares = request.shares && (await splitPassphrase(passphrase, request.shares));
  const before = await kitBefore(file, given);
  const opened: { own: OpenedRepository; kept: KitRepository; isNew: boolean }[] = [];
  for (const name of plan.repositories.keys()) {
    const own = await workspace.open(name);
    opened.push({ own, ...(await keyTo(workspace, own, before)) });
  }
  const kit: KitContent = {
    version: 1,
    madeAt: new Date(environment.clock.nowMs()).toISOString(),
    madeWith: environment.version,
    plan: { name: plan.name, text: loaded.text, sha256: sha256(Buffer.from(loaded.text)) },
    repositories: [...opened.map(({ kept }) => kept), ...(await mirrorsIn(workspace, opened))],
    publicKeys: await publicKeysOf(workspace),
  };
  const written = await writeKit(
    file,
    { kit, passphrase, shares: request.shares, isOther: before === undefined },
    workspace,
  );
  const about = { file, sha256: written.sha256, plan: kit.plan.sha256, shares: request.shares };
  const problems: string[] = [];
  const earlier: string[] = [];
  for (const { own, kept } of opened) {
    try {
      await record(own, kept, about);
      earlier.push(...(await earlierKeys(own, kept)));
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      // The kit is there, and nobody would ever see its passphrase.
      problems.push(`this was not recorded in the ledger of ${own.name}: ${error.message}`);
    }
  }
  const notes = [...written.notes, ...weakness(given), ...earlier];
  return {
    ...{ file, page: written.page, sha256: written.sha256, madeAt: kit.madeAt, notes, problems },
    ...(given === undefined && { bits: MADE_BITS }),
    ...(shares ? { shares, threshold: request.shares!.threshold } : given === undefined && { passphrase }),
    repositories: opened.map(({ own: { name }, kept: { key }, isNew }) => ({ repository: name, key, isNew })),
  };
}

/** Before a key is added that nobody would have. @throws target-failed */
async function assertWritable(directory: string): Promise<void> {
  try {
    await access(directory, constants.W_OK);
  } catch (cause) {
    throw new HoldfastError('target-failed', `no file can be made in ${directory}: ${systemReason(cause)}`, {
      hint: 'Name a file in a directory that you may write to with `holdfast kit --out FILE`.',
      context: { directory },
      cause,
    });
  }
}

/** The kit that is to be replaced, where the same passphrase opens it. */
async function kitBefore(file: string, passphrase: string | undefined): Promise<KitContent | undefined> {
  if (passphrase === undefined) return undefined;
  try {
    return unpackKit(await unsealKit(await readKitFile(file), passphrase, file), file);
  } catch (error) {
    // There is none, or one of another passphrase: nothing is handed on.
    if (!isHoldfastError(error)) throw error;
    return undefined;
  }
}

async function keyTo(
  workspace: Workspace,
  opened: OpenedRepository,
  before: KitContent | undefined,
): Promise<{ kept: KitRepository; isNew: boolean }> {
  const { name, repository } = opened;
  const { plan, references } = workspace;
  const planned = plan.repositories.get(name)!;
  const about = {
    ...{ name, id: repository.config.id, place: kitPlace(await storePlace(planned, references)) },
    ...(planned.archive && { archiveOf: planned.archive.from }),
  };
  const earlier = before?.repositories.find((each) => each.name === name && each.id === about.id);
  const stillOpens = earlier && (await opensWith(opened, earlier.password));
  if (stillOpens !== undefined)
    return { kept: { ...about, password: earlier!.password, key: stillOpens }, isNew: false };
  const password = randomBytes(KEY_BYTES).toString('base64url');
  const { added: key } = await addPassword(workspace, name, password, KEY_KDF);
  return { kept: { ...about, password, key: key! }, isNew: true };
}

/** The id of the key that a password opens; undefined where it opens none any more. */
async function opensWith({ repository }: OpenedRepository, password: string): Promise<string | undefined> {
  try {
    return (await openRepository(repository.store, password)).keyId;
  } catch (error) {
    if (isHoldfastError(error, 'wrong-password')) return undefined;
    throw error;
  }
}

/** A mirror is opened by what opens its primary. */
async function mirrorsIn(
  { plan, references }: Workspace,
  opened: readonly { kept: KitRepository }[],
): Promise<KitRepository[]> {
  const mirrors: KitRepository[] = [];
  for (const mirror of plan.mirrors.values()) {
    const primary = opened.find(({ kept }) => kept.name === mirror.of)!.kept;
    const { id, password, key } = primary;
    const place = kitPlace(await storePlace(mirror, references));
    mirrors.push({ name: mirror.name, id, place, mirrorOf: mirror.of, password, key });
  }
  return mirrors;
}

async function writeKit(
  file: string,
  about: { kit: KitContent; passphrase: string; shares: Shares | undefined; isOther: boolean },
  { plan }: Workspace,
): Promise<{ sha256: string; page: MadeKit['page']; notes: string[] }> {
  const { kit, passphrase, shares } = about;
  const facts = { plan, kit, file: basename(file), ...(shares && { shares }) };
  const inside = [
    { path: 'README.md', text: `${renderMarkdown(kitPage(facts))}\n` },
    ...SCRIPTS.map((path) => ({ path, text: readFileSync(new URL(`./${path}`, import.meta.url), 'utf8') })),
  ];
  const sealed = await sealKit(packKit(kit, inside), passphrase);
  const digest = sha256(sealed);
  const aside = about.isOther ? await putAside(file) : undefined;
  await writePrivate(file, sealed);
  if (sha256(await readKitFile(file)) !== digest) {
    throw new HoldfastError('target-failed', `${file} is not read back as it was written`, {
      hint: 'Write the kit to another disk with `holdfast kit --out FILE`.',
      context: { file },
    });
  }
  const page = { html: besides(file, 'html'), markdown: besides(file, 'md') };
  const document = kitPage({ ...facts, sha256: digest });
  await writePrivate(page.html, renderHtml(document));
  await writePrivate(page.markdown, `${renderMarkdown(document)}\n`);
  return { sha256: digest, page, notes: aside === undefined ? [] : [`the kit that was there before is ${aside} now`] };
}

/** What another passphrase opens may be the only way to something else: it is kept. */
async function putAside(file: string): Promise<string | undefined> {
  try {
    const { mtime } = await stat(file);
    const until = mtime.toISOString().replace(/[:-]|\.\d+/g, '');
    const aside = freeName(`${file.replace(/\.age$/, '')}-${until}`);
    await rename(file, aside);
    return aside;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw new HoldfastError('target-failed', `${file} cannot be moved away: ${systemReason(error)}`, {
      hint: 'Name another file with `holdfast kit --out FILE`.',
      cause: error,
    });
  }
}

/** Two kits may be of the same second. */
function freeName(base: string): string {
  let name = `${base}.age`;
  for (let at = 2; existsSync(name); at++) name = `${base}-${at}.age`;
  return name;
}

function besides(file: string, extension: string): string {
  return `${file.replace(/\.age$/, '')}.${extension}`;
}

function weakness(given: string | undefined): string[] {
  if (given === undefined || isMade(given) || given.length >= SHORTEST_OWN) return [];
  return [
    `the passphrase is short: who has the kit may guess it. Without one of your own, one of ${MADE_BITS} random bits is made`,
  ];
}

async function record(
  { ledger }: OpenedRepository,
  { key }: KitRepository,
  { shares, ...about }: { file: string; sha256: string; plan: string; shares: Shares | undefined },
): Promise<void> {
  await ledger.append('kit.made', { ...about, host: hostname(), key, ...(shares && { shares }) });
}

/** Keys of kits before this one that still open a repository. */
async function earlierKeys({ name, repository, ledger }: OpenedRepository, kept: KitRepository): Promise<string[]> {
  const there = new Set((await listKeys(repository)).map(({ id }) => id));
  const kits = await ledger.events({ kinds: ['kit.made'] });
  const notes: string[] = [];
  for (const { body, time } of new Map(kits.map((event) => [JSON.stringify(event.body), event])).values()) {
    const { key } = body as { key: string };
    if (key === kept.key || !there.delete(key)) continue;
    notes.push(
      `the kit of ${time.slice(0, 10)} still opens ${name}: once it is destroyed, \`holdfast key remove ${key.slice(0, 8)} --repository ${name}\``,
    );
  }
  return notes;
}
