import type { Ledger } from '../../ledger/index.ts';
import type { Healer, Repository } from '../../repository/index.ts';
import { lockPolicyOf } from '../object-lock/lock-scope.ts';
import { Workspace } from '../workspace.ts';
import { createHealer } from './healing.ts';

/** A plan at work whose repositories are healed from older versions and from their mirrors by whoever reads them. */
export class HealingWorkspace extends Workspace {
  protected override healerOf(
    about: { name: string; repository: Repository; ledger: Ledger },
    told: (note: string) => void,
  ): Healer | undefined {
    const isAlone = this.mirrorsOf(about.name).length === 0 && lockPolicyOf(this, about.name) === undefined;
    if (isAlone || this.environment.asOfMs !== undefined) return undefined;
    return createHealer(this, about, ({ note }) => told(note));
  }
}
