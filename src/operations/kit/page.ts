/** The printed page of a kit: whom to call, where everything lies, and how it comes back, with Holdfast and without. */

import { shellWord } from '../../foundation/shell-word.ts';
import { formatDuration } from '../../foundation/units.ts';
import type { Plan, Source as PlanSource } from '../../plan/index.ts';
import { type Block, chapter, commands, type Document, paragraph, table } from '../../report/index.ts';
import { recoveryOrder } from '../rescue/order.ts';
import { hasTail, openingLines, repositoryLines, sourceLines } from './by-hand.ts';
import { type KitContent, type KitRepository, publicKeyName } from './kit-content.ts';
import type { Shares } from './passphrase.ts';
import { credentialsText, placeText } from './places.ts';

export interface PageFacts {
  plan: Plan;
  kit: KitContent;
  /** The name of the sealed file, without its directory. */
  file: string;
  /** SHA-256 (hex) of the sealed file; left out of the page that lies in it. */
  sha256?: string;
  /** How its passphrase is split, where that is known. */
  shares?: Shares;
}

/** The page. It holds nothing secret. Pure. */
export function kitPage(facts: PageFacts): Document {
  const { plan, kit } = facts;
  return {
    title: `Recovery kit of ${plan.name}`,
    isDense: true,
    blocks: [
      ...aboutBlocks(facts),
      ...chapter('Whom to call', contactBlocks(plan)),
      ...chapter(
        'With Holdfast, on an empty machine',
        commands([`holdfast rescue --kit ${shellWord(facts.file)} --to back --prove`]),
        paragraph(
          'It asks for the passphrase, finds a copy of each repository that answers, says what can be had and how old it is, and restores everything in the order below. Run again, it goes on where it was.',
        ),
      ),
      ...chapter(
        'Where everything lies',
        table(['Repository', 'Place', 'Credentials'], kit.repositories.map(placeRow)),
      ),
      ...chapter('In this order', table(['', 'Source', 'What', 'RPO', 'RTO', 'Repository'], orderRows(plan))),
      ...chapter(
        'By hand: open the kit',
        commands(openingLines(facts.file)),
        paragraph(
          'age, tar and restic are packages of every system. In kit/ there are then the plan, passwords and keys. Shares of the passphrase are put together by Holdfast alone: holdfast kit open --kit FILE --to DIRECTORY.',
        ),
      ),
      ...handBlocks(facts),
      ...chapter('Who vouches', keyBlocks(kit)),
    ],
  };
}

function aboutBlocks({ kit, file, sha256, shares }: PageFacts): Block[] {
  const digest = sha256 === undefined ? '' : `, SHA-256 ${sha256}`;
  const how =
    shares === undefined
      ? 'its passphrase'
      : `its passphrase, which any ${shares.threshold} of ${shares.shares} shares give`;
  return [
    paragraph(
      `Made at ${kit.madeAt} by Holdfast ${kit.madeWith}. The sealed file is ${file}${digest}. It is opened by ${how}. Keep file and passphrase apart from each other, and both away from what they bring back.`,
    ),
  ];
}

function contactBlocks({ contacts }: Plan): Block[] {
  const rows = [...contacts.values()].map(({ role, name = '', phone = '', email = '' }) => [role, name, phone, email]);
  if (rows.length === 0) return [paragraph('The plan names nobody: add contacts to it.', 'bad')];
  return table(['Role', 'Name', 'Telephone', 'Mail'], rows);
}

function placeRow({ name, place, mirrorOf, archiveOf }: KitRepository): string[] {
  const what = mirrorOf === undefined ? archiveOf && `archive of ${archiveOf}` : `mirror of ${mirrorOf}`;
  const at = place.kind === 'local' ? '' : [place.endpoint, place.kind === 's3' ? place.region : undefined];
  const where = [placeText(place), ...at].filter(Boolean).join(', ');
  return [what === undefined ? name : `${name}, ${what}`, where, credentialsText(place)];
}

function orderRows(plan: Plan): string[][] {
  return recoveryOrder(plan).flatMap(({ group = 'alone', sources }, stage) =>
    sources.map((name) => {
      const source = plan.sources.get(name)!;
      const { rpoMs, rtoMs } = source.objectives;
      const shown = (ms: number | undefined): string => (ms === undefined ? '' : formatDuration(ms));
      return [`${stage + 1}. ${group}`, name, typeText(source), shown(rpoMs), shown(rtoMs), source.repository];
    }),
  );
}

function typeText(source: PlanSource): string {
  return source.type === 'postgres' ? `${source.type}, ${source.method}` : source.type;
}

/** By repository: one copy of it that answers, then each source that is kept there. */
function handBlocks({ plan, kit }: PageFacts): Block[] {
  const ordered = recoveryOrder(plan).flatMap(({ sources }) => sources.map((name) => plan.sources.get(name)!));
  const homes = [...new Set(ordered.map(({ repository }) => repository))];
  return homes.flatMap((home) => {
    const copies = kit.repositories.filter(({ name, mirrorOf }) => name === home || mirrorOf === home);
    const own = ordered.filter(({ repository }) => repository === home);
    if (copies.length === 0) return [];
    return chapter(
      `By hand: ${home}`,
      copies.length > 1 ? paragraph('The first of these that lists snapshots:') : [],
      ...copies.map((copy) => commands(repositoryLines(copy, plan.name, own.some(hasTail)))),
      own.some(hasTail) ? paragraph(TAIL_WORDS) : [],
      ...own.map((source) => sourceBlocks(plan, source)),
    );
  });
}

const TAIL_WORDS =
  'The newest part of a log is opened by openssl and zstd. From a bucket it comes by aws or gcloud, in the last line of the copy, which finds nothing where no log was followed.';

function sourceBlocks(plan: Plan, source: PlanSource): Block[] {
  const { lines, words } = sourceLines(plan.name, source);
  return [
    paragraph(`${source.name}, ${typeText(source)}:${words === undefined ? '' : ` ${words}`}`),
    ...commands(lines),
  ];
}

function keyBlocks({ publicKeys }: KitContent): Block[] {
  const rows = publicKeys.map(({ fingerprint }) => [fingerprint, `keys/${publicKeyName(fingerprint)}`]);
  return table(
    ['SHA-256 of a key that signs the ledger and evidence', 'In the kit'],
    rows,
    'The plan names no key that the ledger is signed with.',
  );
}
