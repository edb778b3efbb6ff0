import type { Ledger } from '../../ledger/index.ts';
import type { Healer, Repository } from '../../repository/index.ts';
import { Workspace } from '../workspace.ts';
import { createHealer } from './healing.ts';

/** A plan at work whose repositories are healed from their mirrors by whoever reads them. */
export class HealingWorkspace extends Workspace {
  protected override healerOf(
    about: { name: string; repository: Repository; ledger: Ledger },
    told: (note: string) => void,
  ): Healer | undefined {
    if (this.mirrorsOf(about.name).length === 0) return undefined;
    return createHealer(this, about, ({ note }) => told(note));
  }
}
