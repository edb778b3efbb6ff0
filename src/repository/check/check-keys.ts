import { listKeys } from '../keys.ts';
import { KEYS_PREFIX } from '../layout.ts';
import type { Repository } from '../repository.ts';
import { addError, type CheckReport } from './report.ts';

/** A password that opens nothing any more is found out on the day that it is needed: that of a recovery kit, say. */
export async function checkKeys(repository: Repository, report: CheckReport): Promise<void> {
  for (const { id, damaged } of await listKeys(repository)) {
    if (!damaged) continue;
    const message =
      "its content does not match its name, and its password may not open the repository any more: make another with `holdfast key add`, or `holdfast kit` where it was a kit's";
    addError(report, `${KEYS_PREFIX}${id}`, message);
  }
}
