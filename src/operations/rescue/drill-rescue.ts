import { randomBytes } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { resolveSecret } from '../../plan/index.ts';
import { withScratch } from '../scratch.ts';
import type { Workspace } from '../workspace.ts';
import { type Rescued, type RescueListener, rescue } from './rescue.ts';

const PASSPHRASE_VARIABLE = 'HOLDFAST_KIT_PASSPHRASE';

/** What came of a drill of a rescue. */
export interface DrilledRescue {
  outcome: 'done' | 'partial' | 'missed' | 'failed';
  message?: string;
  /** Absent where it was not held. */
  rescued?: Rescued;
}

/**
 * Holds a drill of a rescue: from the newest kit, with nothing that this machine has kept, to a place that is gone afterwards.
 * Each source is proven in a sandbox, and brought back.
 * @param request the kit, absolute, and what opens it: what the plan says, when left out; and the task that has it held
 * @throws as `rescue`
 */
export async function drillRescue(
  workspace: Workspace,
  { task, ...request }: { task: string; file?: string; passphrase?: string },
  told: RescueListener = { copies: () => {}, points: () => {}, member: () => {} },
): Promise<DrilledRescue> {
  const { plan, environment } = workspace;
  const passphrase = request.passphrase ?? (await unattended(workspace));
  if (passphrase === undefined) {
    const message = `not held: nobody is there to type the passphrase: name where it is as \`kit.passphrase\` in the plan, or set ${PASSPHRASE_VARIABLE}`;
    return { outcome: 'partial', message };
  }
  const file = request.file ?? resolve(plan.directory, plan.kit.file);
  const rescued = await withScratch(async (scratch) => {
    const to = await hiddenPlace(scratch);
    // Nothing that this machine remembers: an empty one has none of it.
    const { stateDirectory: _, ...bare } = environment;
    const empty = { ...bare, cacheDirectory: join(scratch, 'cache') };
    return rescue(empty, { kit: { file, passphrase }, to: [to], prove: true, task }, told);
  });
  const failed = rescued.members.flatMap((member) =>
    member.outcome === 'failed' ? [`${member.source}: ${member.error.message}`] : member.problems,
  );
  const message = [...rescued.missed, ...failed].join('; ');
  return { outcome: rescued.outcome, rescued, ...(message !== '' && { message }) };
}

async function unattended({ plan, references, environment }: Workspace): Promise<string | undefined> {
  const given = environment.variables[PASSPHRASE_VARIABLE];
  if (given !== undefined && given !== '') return given;
  return plan.kit.passphrase === undefined ? undefined : resolveSecret(plan.kit.passphrase, references);
}

/** A server that recovers as another user passes through it, and nobody else knows its name. */
async function hiddenPlace(scratch: string): Promise<string> {
  await chmod(scratch, 0o711);
  const place = join(scratch, randomBytes(16).toString('hex'));
  await mkdir(place, { mode: 0o755 });
  return place;
}
