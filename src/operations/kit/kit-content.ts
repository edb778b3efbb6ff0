/** What is in a kit, once it is open: a tar archive of a few files, of which programs read one and people the others. */
import { createTar, parseTar } from 'nanotar';
import { z } from 'zod';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { damaged } from './sealed-kit.ts';

const text = z.string().min(1);
const textOf = (pattern: RegExp) => z.string().regex(pattern);
const hex = textOf(/^[0-9a-f]{64}$/);
/** They are names of files as well. */
const name = textOf(/^[A-Za-z0-9][\w.-]*$/);

const place = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('local'), path: text }),
  z.object({
    kind: z.literal('s3'),
    ...{ bucket: text, prefix: z.string(), pathStyle: z.boolean() },
    ...{ region: text.exactOptional(), endpoint: text.exactOptional() },
  }),
  z.object({
    kind: z.literal('gcs'),
    ...{ bucket: text, prefix: z.string() },
    ...{ endpoint: text.exactOptional(), userProject: text.exactOptional() },
  }),
]);

const repository = z.object({
  name,
  /** The id in its configuration; a mirror has that of its primary. */
  id: text,
  place,
  mirrorOf: name.exactOptional(),
  archiveOf: name.exactOptional(),
  /** Opens it, by a key of the kit's own. */
  password: text,
  /** The id of that key. */
  key: hex,
});

const content = z.object({
  version: z.literal(1),
  /** RFC 3339. */
  madeAt: z.iso.datetime(),
  madeWith: text,
  plan: z.object({ name: text, text, sha256: hex }),
  repositories: z.array(repository).min(1),
  /** Keys that vouch for what Holdfast signed: `purpose` says what of. */
  publicKeys: z.array(z.object({ purpose: text, fingerprint: text, pem: text })),
});

export type KitContent = z.output<typeof content>;
export type KitRepository = KitContent['repositories'][number];
export type KitPlace = KitRepository['place'];

const DIRECTORY = 'kit';
const DOCUMENT = `${DIRECTORY}/kit.json`;

/** A file beside the document, for people who have no Holdfast. */
export interface KitFile {
  /** Relative to the kit's directory. */
  path: string;
  text: string;
}

/** The archive of a kit. @param files for people; passwords, plan and keys are among them in any case */
export function packKit(kit: KitContent, files: readonly KitFile[]): Uint8Array {
  const own: KitFile[] = [
    { path: 'holdfast.yaml', text: kit.plan.text },
    ...kit.repositories.map(({ name: of, password }) => ({ path: passwordFile(of), text: `${password}\n` })),
    ...kit.publicKeys.map(({ fingerprint, pem }) => ({ path: `keys/${publicKeyName(fingerprint)}`, text: pem })),
  ];
  const mtime = Date.parse(kit.madeAt);
  const entries = [...files, ...own].map((file) => ({ name: `${DIRECTORY}/${file.path}`, data: file.text }));
  return createTar([{ name: DOCUMENT, data: JSON.stringify(kit, undefined, 2) }, ...entries], {
    attrs: { mode: '600', uid: 0, gid: 0, mtime },
  });
}

/** What the file of a public key is called. */
export function publicKeyName(fingerprint: string): string {
  return `signing-${fingerprint.slice(0, 8)}.pub`;
}

/** Where the password of a repository is in an open kit. */
export function passwordFile(of: string): string {
  return `passwords/${of}`;
}

/** @param file what the kit is called, for messages @throws kit-damaged, repository-unsupported */
export function unpackKit(archive: Uint8Array, file: string): KitContent {
  const found = entryOf(archive, file);
  if (found?.version !== 1 && typeof found?.version === 'number') {
    throw new HoldfastError('repository-unsupported', `${file} has the unknown version ${found.version}`, {
      hint: 'Use the version of Holdfast that made the kit, or a newer one.',
    });
  }
  const parsed = content.safeParse(found);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw damaged(file, `${issue?.path.join('.') ?? 'it'} is not as a kit has it`);
}

function entryOf(archive: Uint8Array, file: string): { version?: unknown } | undefined {
  try {
    const entry = parseTar(archive).find(({ name: path }) => path === DOCUMENT);
    return entry === undefined ? undefined : (JSON.parse(entry.text) as { version?: unknown });
  } catch (error) {
    throw damaged(file, messageOf(error), error);
  }
}

/** What a file in a kit may be called: nothing that leads out of it. */
const FILE_NAME = /^kit\/((?:[A-Za-z0-9][\w.-]*\/)*[A-Za-z0-9][\w.-]*)$/;

/** All files of an open kit, for a person to look at. Who gives somebody a kit and its passphrase may have made it by hand. @throws kit-damaged */
export function filesOf(archive: Uint8Array, file: string): KitFile[] {
  unpackKit(archive, file);
  return parseTar(archive).map(({ name: of, text: content }) => {
    const path = FILE_NAME.exec(of)?.[1];
    if (path === undefined) throw damaged(file, `it has a file ${JSON.stringify(of)}, which no kit has`);
    return { path, text: content };
  });
}
