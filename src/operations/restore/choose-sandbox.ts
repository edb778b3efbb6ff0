import { HoldfastError } from '../../foundation/errors.ts';
import type { Sandbox as PlanSandbox, Source as PlanSource } from '../../plan/index.ts';
import type { ChosenSandbox, Workspace } from '../workspace.ts';

/**
 * Where a source is proven: in the sandbox that is named, else in the only one of the plan that can take it, else on this
 * machine.
 * @param name as given on the command line; one that cannot take this source is for others that are proven with it
 * @returns undefined for this machine
 * @throws not-provable where this machine cannot take it and the plan has no sandbox that can; bad-usage
 */
export function chooseSandbox(
  workspace: Workspace,
  source: PlanSource,
  name: string | undefined,
): ChosenSandbox | undefined {
  const { references } = workspace;
  const fitting = [...workspace.plan.sandboxes.values()].filter((each) => fits(each, source));
  const named = fitting.find((each) => each.name === name);
  const chosen = named ?? (fitting.length === 1 ? fitting[0] : undefined);
  if (chosen !== undefined) return { sandbox: chosen, source, references };
  if (source.type !== 'firestore') return undefined;
  if (fitting.length === 0) {
    throw new HoldfastError('not-provable', `${source.name} needs a sandbox of type firestore, and the plan has none`, {
      hint: 'Name a project in which databases may be made: `sandboxes: { proofs: { type: firestore, project: omni-test } }`.',
    });
  }
  throw new HoldfastError('bad-usage', `the plan has several sandboxes that can take ${source.name}`, {
    hint: `Choose one: ${fitting.map((each) => `\`--sandbox ${each.name}\``).join(' or ')}.`,
  });
}

/** @throws bad-usage where the plan has no such sandbox, or none of the sources can be proven in it */
export function refuseSandbox({ plan }: Workspace, sources: readonly PlanSource[], name: string | undefined): void {
  if (name === undefined) return;
  const sandbox = plan.sandboxes.get(name);
  if (sandbox === undefined) {
    const names = [...plan.sandboxes.keys()].join(', ');
    throw new HoldfastError('bad-usage', `the plan has no sandbox "${name}"`, {
      hint: names === '' ? 'Add it to `sandboxes` in the plan.' : `It has ${names}.`,
    });
  }
  if (sources.some((source) => fits(sandbox, source))) return;
  throw new HoldfastError('bad-usage', `the sandbox ${name} of type ${sandbox.type} takes none of these sources`, {
    hint: 'Leave `--sandbox` out: each source is proven where it can be.',
  });
}

function fits({ type }: PlanSandbox, source: PlanSource): boolean {
  return (type === 'firestore') === (source.type === 'firestore');
}
